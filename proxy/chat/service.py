"""Answering requests: finds the models that may answer and the conversation that is continued."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.chat.answer import Answer, OnComplete
from proxy.chat.ask import Ask, ContentPart
from proxy.chat.catalog import Catalog, Model, unknown_model
from proxy.chat.conversation_turn import ConversationTurn
from proxy.chat.conversations import Conversations, check_capacity
from proxy.chat.errors import ServiceError, bad_request, soonest
from proxy.chat.history import MAX_TURN_CHARS, TurnPlan, always_sent, is_empty, size_of, without_trailing_empty
from proxy.chat.offload import offload
from proxy.chat.upstream import Embedder, EmbeddingsResponse, Refusal, RetryBudget, Upstream, UpstreamBots
from proxy.chat.upstream_copies import UpstreamCopies
from shared.settings import Settings
from shared.store import Store


class ChatService:
    """Answers requests of any API with any upstream."""

    def __init__(self, store: Store, upstreams: Sequence[Upstream], settings: Settings) -> None:
        """*upstreams*: in order of preference."""
        self._store = store
        self._conversations = Conversations(store)
        self.copies = UpstreamCopies(store)
        self._upstreams = upstreams
        self._settings = settings
        self._catalog: tuple[list[UpstreamBots], Catalog] | None = None

    @property
    def catalog(self) -> Catalog:
        """The models that are available now."""
        bots = [upstream.bots() for upstream in self._upstreams]
        if self._catalog is None or self._catalog[0] != bots:
            self._catalog = (bots, Catalog(bots, self._settings.models, self._settings.default_model))
        return self._catalog[1]

    async def answer(self, ask: Ask, *, owner: str, on_complete: OnComplete | None = None) -> Answer:
        """Prepare the answer to *ask*; *on_complete* is awaited when it is complete. Raises `ServiceError`.

        *owner*: as in `Conversations`.
        """
        name, models = await self._find_models(ask.model, ask.allowed)
        candidates = [model for model in models if not model.bot.consent_required]
        fallback = self._fallback(models[0], ask.allowed)
        if fallback is not None:
            candidates.append(fallback)
        if ask.media and (parts := ask.parts):
            ask, candidates = await _fit_to_parts(ask, parts, candidates)
        if not candidates:
            raise _consent_required(name, models[0].site.origin)
        if ask.messages and ask.messages[-1].role == "assistant":
            ask = replace(ask, messages=without_trailing_empty(ask.messages))
        stored = await self._conversations.find(ask.conversation_id, owner=owner) if ask.conversation_id else None
        turn = ConversationTurn(self._store, self.copies, ask.messages, stored, ask.tool_config)
        if stored is not None:
            check_capacity(turn.plan.messages, answers=1)
        _check_plan(turn.plan)
        if len(candidates) > 1:
            candidates.sort(key=lambda model: _prospects(model, fallback))  # equals keep the order of preference
        return Answer(
            ask,
            turn,
            candidates,
            name=name,
            fallback=fallback,
            stands_in=bool(self._settings.default_model) and self.catalog.resolve(ask.model) is None,
            on_complete=on_complete,
            retries=self._settings.tool_retries,
        )

    async def embed(
        self,
        request: Mapping[str, Any],
        *,
        caller: str,
        allowed: frozenset[str] | None,
        on_upstream: Callable[[str, str], None],
    ) -> EmbeddingsResponse:
        """Return embeddings of the first upstream that can make them. Raises `ServiceError`; 404 where none can.

        *on_upstream* is called with the names of the model and of each upstream before it is tried.
        """
        name, models = await self._find_models(request["model"].strip(), allowed)
        embedders = [(model, upstream) for model in models if isinstance(upstream := model.upstream, Embedder)]
        embedders.sort(key=lambda each: each[0].upstream.rank(each[0].bot))
        if not embedders:
            raise _no_embeddings(name)
        budget, errors = RetryBudget(), []
        for model, upstream in embedders:
            budget.has_alternative = model is not embedders[-1][0]
            on_upstream(name, model.upstream.name)
            try:
                return await upstream.embed({**request, "model": model.bot.name}, model.bot, caller, budget)
            except (Refusal, ServiceError) as failure:
                is_final = isinstance(failure, Refusal) and not failure.may_move_on
                errors.append(failure.error if isinstance(failure, Refusal) else failure)
                if not budget.has_alternative or is_final:
                    raise soonest(errors) from failure
        raise AssertionError("unreachable: the last upstream's failure is raised")

    def _fallback(self, model: Model, allowed: frozenset[str] | None) -> Model | None:
        """The fallback server's model for *model* of a site, if one is configured and allowed."""
        if not self._settings.fallback_model or model.is_server:
            return None
        found = self.catalog.resolve(self._settings.fallback_model)
        return found[1] if found and found[1].is_server and self.catalog.is_allowed(found[0], allowed) else None

    def has_tools(self, name: str, allowed: frozenset[str] | None) -> bool:
        """Whether the first model for *name* supports tools itself."""
        found = self.catalog.find(name, allowed)
        return found is not None and found[1].upstream.has_tools(found[1].bot)

    async def _find_models(self, name: str, allowed: frozenset[str] | None) -> tuple[str, Sequence[Model]]:
        """The canonical name and the models for *name*, after waiting for upstreams whose models are not known yet.

        Raises `ServiceError` (404) where there are none, or none that is *allowed*.
        """
        for upstream in self._upstreams:
            if not upstream.is_discovered:
                found = self.catalog.find(name, allowed)
                is_asked = found is None or found[1].upstream is upstream
                has_fallback = found is not None and bool(self._fallback(found[1], allowed))  # which answers at once
                if is_asked and not has_fallback:
                    await self._discover(upstream)
        catalog = self.catalog
        found = catalog.find(name, allowed)
        if found is None:
            raise unknown_model(name, catalog.similar(name, allowed), default=self._settings.default_model)
        if not catalog.is_allowed(found[0], allowed):
            raise unknown_model(name, catalog.similar(name, allowed))
        return found[0], catalog.candidates(found[0])

    async def _discover(self, upstream: Upstream) -> None:
        """Wait for the models of *upstream*. Raises `ServiceError` where no upstream's models are known."""
        try:
            await upstream.discover()
        except ServiceError:
            if not any(other.is_discovered for other in self._upstreams):
                raise


def _prospects(model: Model, fallback: Model | None) -> tuple[int, bool, int]:
    """Sort key of *model*, the best first: by rank, then fewest queued requests."""
    return model.upstream.rank(model.bot), model is fallback, model.upstream.health().queued


async def _fit_to_parts(
    ask: Ask, parts: Mapping[str, ContentPart], candidates: Sequence[Model]
) -> tuple[Ask, list[Model]]:
    """*ask*, and those of *candidates* that can take its parts. Raises `ServiceError` (400) if there are none.

    Sites get the text of files. With a part that has none only servers are left, which take it as it is.
    """
    servers = [model for model in candidates if model.is_server]
    if servers and len(servers) == len(candidates):
        return ask, servers
    try:
        simplified = await offload(sum(part.size for part in parts.values()), ask.for_sites)
    except ServiceError:
        if not servers:
            raise
        return ask, servers
    is_whole = simplified.ignored == ask.ignored
    return (simplified, [*candidates]) if is_whole or not servers else (ask, servers)


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


def _check_plan(plan: TurnPlan) -> None:
    """Raise `ServiceError` (400) for a turn that is empty, or too large to be sent."""
    if size_of(plan.messages) > MAX_TURN_CHARS and size_of(always_sent(plan.messages)) > MAX_TURN_CHARS:
        raise bad_request(
            f"The last turn and the system's texts have more than {MAX_TURN_CHARS} characters.",
            param="messages",
            code="context_length_exceeded",
        )
    if is_empty(plan.new):
        raise bad_request("The message is empty.", param="messages", code="empty_message")
