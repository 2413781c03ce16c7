"""Answering a request: which models may answer, and which conversation it continues."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.chat.answer import Afterwards, Answer
from proxy.chat.ask import Ask, Part
from proxy.chat.catalog import Catalog, Model, unknown_model
from proxy.chat.conversations import Conversations, refuse_unfit
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.history import MAX_TURN_CHARS, Plan, is_empty, never_left_out, size_of, without_empty_end
from proxy.chat.memory import Branches, Memory
from proxy.chat.offload import aside
from proxy.chat.upstream import Embedded, Embedder, Refusal, SiteBots, Upstream
from shared.settings import Settings
from shared.store import Store


class ChatService:
    """Everything between what is asked and its answer."""

    def __init__(self, store: Store, upstreams: Sequence[Upstream], settings: Settings) -> None:
        """*upstreams*: in order of preference."""
        self._store = store
        self._conversations = Conversations(store)
        self.branches = Branches(store)
        self._upstreams = upstreams
        self._settings = settings
        self._catalog: tuple[list[SiteBots], Catalog] | None = None

    @property
    def catalog(self) -> Catalog:
        """All models that can be named now."""
        bots = [upstream.bots() for upstream in self._upstreams]
        if self._catalog is None or self._catalog[0] != bots:
            self._catalog = (bots, Catalog(bots, self._settings.models, self._settings.default_model))
        return self._catalog[1]

    async def answer(self, ask: Ask, *, owner: str, afterwards: Afterwards | None = None) -> Answer:
        """The answer to *ask*, not begun yet; *afterwards* is awaited when it is whole. Raises `ServiceError`.

        *owner*: as `Conversations` has it.
        """
        name, models = await self._find_models(ask.model, ask.allowed)
        willing = [model for model in models if not model.bot.consent_required]
        fallback = self._fallback(models[0], ask.allowed)
        if fallback is not None:
            willing.append(fallback)
        if ask.images and (parts := ask.parts):
            ask, willing = await _with_parts(ask, parts, willing)
        if not willing:
            raise _consent_required(name, models[0].site.origin)
        if ask.messages and ask.messages[-1].role == "assistant":
            ask = replace(ask, messages=without_empty_end(ask.messages))
        stored = await self._conversations.find(ask.conversation_id, owner=owner) if ask.conversation_id else None
        memory = Memory(self._store, self.branches, ask.messages, stored, ask.offer)
        if stored is not None:
            refuse_unfit(memory.plan.messages, answers=1)
        _refuse_unfit(memory.plan)
        if len(willing) > 1:
            willing.sort(key=lambda model: _prospects(model, fallback))  # equals keep the order of preference
        answer = Answer(
            ask,
            memory,
            willing,
            name=name,
            fallback=fallback,
            afterwards=afterwards,
            retries=self._settings.tool_retries,
        )
        answer.stands_in = bool(self._settings.default_model) and self.catalog.named(ask.model) is None
        return answer

    async def embed(
        self,
        request: Mapping[str, Any],
        *,
        caller: str,
        allowed: frozenset[str] | None,
        asks: Callable[[str, str], None],
    ) -> Embedded:
        """Embeddings by the upstream that has the model. Raises `ServiceError`; 404 where none makes any.

        *asks* is told the names of the model and of each upstream that is asked.
        """
        name, models = await self._find_models(request["model"].strip(), allowed)
        able = [(model, upstream) for model in models if isinstance(upstream := model.upstream, Embedder)]
        able.sort(key=lambda each: each[0].upstream.rank(each[0].bot))
        if not able:
            raise _no_embeddings(name)
        for model, upstream in able:
            asks(name, model.upstream.name)
            try:
                return await upstream.embed({**request, "model": model.bot.name}, model.bot, caller)
            except (Refusal, ServiceError) as failure:
                is_final = isinstance(failure, Refusal) and not failure.may_move_on
                if model is able[-1][0] or is_final:
                    raise (failure.error if isinstance(failure, Refusal) else failure) from failure
        raise AssertionError("unreachable: the last upstream's failure is raised")

    def _fallback(self, model: Model, allowed: frozenset[str] | None) -> Model | None:
        """The server's model that stands behind the sites' *model*, where there is one that may be used."""
        if not self._settings.fallback_model or model.is_server:
            return None
        found = self.catalog.named(self._settings.fallback_model)
        return found[1] if found and found[1].is_server and self.catalog.is_allowed(found[0], allowed) else None

    def has_tools(self, name: str, allowed: frozenset[str] | None) -> bool:
        """Whether the upstream that is asked first for *name* takes tools itself."""
        found = self.catalog.find(name, allowed)
        return found is not None and found[1].upstream.has_tools

    async def _find_models(self, name: str, allowed: frozenset[str] | None) -> tuple[str, Sequence[Model]]:
        """What *name* means, and the models that answer for it, once the upstreams that may have it are known.

        Raises `ServiceError` (404) where there are none, or none that is *allowed*.
        """
        for upstream in self._upstreams:
            if not upstream.is_known:
                found = self.catalog.find(name, allowed)
                is_asked = found is None or found[1].upstream is upstream
                if is_asked and not (found and self._fallback(found[1], allowed)):  # nobody waits where one answers
                    await self._discover(upstream)
        catalog = self.catalog
        found = catalog.find(name, allowed)
        if found is None:
            raise unknown_model(name, catalog.near(name, allowed), default=self._settings.default_model)
        if not catalog.is_allowed(found[0], allowed):
            raise unknown_model(name, catalog.near(name, allowed))
        return found[0], catalog.offers(found[0])

    async def _discover(self, upstream: Upstream) -> None:
        """Wait a little for what *upstream* offers; without any at all there is nothing to say yet."""
        try:
            await upstream.discover()
        except ServiceError:
            if not any(other.is_known for other in self._upstreams):
                raise


def _prospects(model: Model, fallback: Model | None) -> tuple[int, bool, int]:
    """The less, the sooner *model* is asked: of those that may answer as well, where fewer wait."""
    return model.upstream.rank(model.bot), model is fallback, model.upstream.health().queued


async def _with_parts(ask: Ask, parts: Mapping[str, Part], willing: Sequence[Model]) -> tuple[Ask, list[Model]]:
    """*ask*, and those of *willing* that can be asked it. Raises `ServiceError` (400) where nobody can.

    Sites are told the text of files. What has none leaves only servers, which take it as it is.
    """
    servers = [model for model in willing if model.is_server]
    if servers and len(servers) == len(willing):
        return ask, servers
    try:
        told = await aside(sum(part.size for part in parts.values()), ask.for_sites)
    except ServiceError:
        if not servers:
            raise
        return ask, servers
    is_whole = told.ignored == ask.ignored
    return (told, [*willing]) if is_whole or not servers else (ask, servers)


def _consent_required(name: str, site: str) -> ServiceError:
    return ServiceError(
        403,
        f"The site asks visitors to agree to its terms before they use '{name}'. Only a person may agree: "
        f"run `freeaichat harvest --headed --site {site}` and do so in the window.",
        type="permission_error",
        code="consent_required",
        should_retry=False,
    )


def _no_embeddings(name: str) -> ServiceError:
    return ServiceError(
        404,
        f"The model '{name}' makes no embeddings; only those of servers (FREEAICHAT_SERVERS) may.",
        code="model_not_found",
        param="model",
    )


def _refuse_unfit(plan: Plan) -> None:
    """Raise `ServiceError` (400) before anything is begun where no model would see a message, or would see too much."""
    if size_of(plan.messages) > MAX_TURN_CHARS and size_of(never_left_out(plan.messages)) > MAX_TURN_CHARS:
        raise bad_request(
            f"The last turn and the system's texts have more than {MAX_TURN_CHARS} characters.",
            param="messages",
            code="context_length_exceeded",
        )
    if is_empty(plan.new):
        raise bad_request("The message is empty.", param="messages", code="empty_message")
