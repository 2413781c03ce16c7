"""Answering a chat request: which bots may answer, and which conversation it continues."""

from collections.abc import Mapping, Sequence

from proxy.api.chat_completions.request import ChatRequest, unknown_model
from proxy.chat.answer import Afterwards, Answer
from proxy.chat.branches import Branches
from proxy.chat.catalog import Catalog, Model, SiteBots, may_use
from proxy.chat.continuation import Plan
from proxy.chat.conversations import Conversations, refuse_unfit
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.memory import Memory
from proxy.server.bodies import size_of
from proxy.server.gradual_json import MAX_TEXT
from proxy.upstreams.aipkit.client import Upstream
from proxy.upstreams.aipkit.credentials import CredentialKeeper
from proxy.upstreams.aipkit.transcript import is_empty, never_left_out
from proxy.upstreams.aipkit.trust import MemoryPolicy
from shared.store import Store

MAX_TURN_CHARS = MAX_TEXT  # in one message to a site; its servers take little more, its models far less


class ChatService:
    """Everything between a parsed request and its answer."""

    def __init__(
        self,
        store: Store,
        keeper: CredentialKeeper,
        upstream: Upstream,
        *,
        aliases: Mapping[str, int],
        default_model: str,
        policy: MemoryPolicy,
        max_transcript: int,
    ) -> None:
        self._store = store
        self._conversations = Conversations(store)
        self.branches = Branches(store)
        self._keeper = keeper
        self._upstream = upstream
        self._aliases = aliases
        self._default_model = default_model
        self._policy = policy
        self.max_transcript = max_transcript
        self._catalog: tuple[list[SiteBots], Catalog] | None = None

    @property
    def catalog(self) -> Catalog:
        """All models that can be named now."""
        bots = self._keeper.bots()
        if self._catalog is None or self._catalog[0] != bots:
            self._catalog = (bots, Catalog(bots, self._aliases, self._default_model))
        return self._catalog[1]

    async def answer(self, request: ChatRequest, *, owner: str, afterwards: Afterwards | None = None) -> Answer:
        """The answer to *request*, not begun yet; *afterwards* is awaited when it is whole. Raises `ServiceError`.

        *owner*: as `Conversations` has it.
        """
        name, models = await self._find_models(request.model, request.allowed)
        if not may_use(request.allowed, name):
            raise unknown_model(request.model, self.catalog.near(request.model, request.allowed))
        willing = [model for model in models if not model.bot.consent_required]
        if not willing:
            raise _consent_required(name)
        stored = None
        if request.conversation_id:
            stored = await self._conversations.find(request.conversation_id, owner=owner)
        memory = Memory(self._store, self.branches, self._policy, request.messages, stored)
        if stored is not None:
            refuse_unfit(memory.plan.messages, answers=1)
        _refuse_unfit(memory.plan)
        return Answer(
            self._upstream,
            request,
            memory,
            self._upstream.in_order(willing),
            name=name,
            max_transcript=self.max_transcript,
            afterwards=afterwards,
        )

    async def _find_models(self, name: str, allowed: frozenset[str] | None) -> tuple[str, Sequence[Model]]:
        """The models that answer for *name*, once the sites that may have it were visited."""
        for site in self._keeper.sites:
            if self._keeper.state(site.origin) is None:
                found = self.catalog.find(name)
                if found is None or found[1].site == site:
                    await self._discover(site.origin)
        catalog = self.catalog
        found = catalog.find(name)
        if found is None:
            raise unknown_model(name, catalog.near(name, allowed))
        return found[0], catalog.offers(found[0])

    async def _discover(self, site: str) -> None:
        """Wait a little for the first capture of *site*; without any site at all there is nothing to say yet."""
        try:
            await self._upstream.credentials(site)
        except ServiceError:
            if not any(self._keeper.state(other.origin) for other in self._keeper.sites):
                raise


def _consent_required(name: str) -> ServiceError:
    return ServiceError(
        403,
        f"The site asks visitors to agree to its terms before they use '{name}'. Only a person may agree: "
        "run `freeaichat harvest --headed` and do so in the window.",
        type="permission_error",
        code="consent_required",
        should_retry=False,
    )


def _refuse_unfit(plan: Plan) -> None:
    """Raise `ServiceError` (400) before anything is begun where the site would see no message at all, or too much."""
    if size_of(never_left_out(plan.messages)) > MAX_TURN_CHARS:
        raise bad_request(
            f"The last turn and the system's texts have more than {MAX_TURN_CHARS} characters.",
            param="messages",
            code="context_length_exceeded",
        )
    if is_empty(plan.new):
        raise bad_request("The message is empty.", param="messages", code="empty_message")
