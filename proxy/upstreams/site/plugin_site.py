"""One configured site as an upstream, whichever chat plugin its last visit found there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxy.chat.ask import Ask
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.upstream import AnswerSink, End, Health, RetryBudget, UpstreamBots, UpstreamCopy
from proxy.upstreams.gate import Gate, Permit
from proxy.upstreams.site.credentials import CredentialKeeper, NoCredentials
from proxy.upstreams.site.recovery import Recovery, not_ready
from shared.conversations import Message, Note
from shared.models import AIPKIT, Bot, Credentials
from shared.parsing import Site
from shared.site_client.client import SiteClient

# For the first sign of a site, where another one answers if it does not; the former of one that may have recovered.
TRIAL_SECONDS, MOVE_ON_SECONDS = 5.0, 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """*max_transcript*: characters. *idle_timeout*: the longest silence in a stream, seconds."""

    max_transcript: int
    idle_timeout: float


class PluginClient(ABC):
    """A client for sites that have one chat plugin."""

    def __init__(self, gate: Gate, keeper: CredentialKeeper, client: SiteClient, *, limits: Limits) -> None:
        self.name = gate.site
        self._gate = gate
        self._keeper = keeper
        self._client = client
        self._limits = limits
        self._recovery = Recovery(keeper)

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`; None where there are no copies."""
        return None

    @abstractmethod
    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """As `Upstream.answer`; there are credentials, and they are for this plugin."""

    def _begun(self, permit: Permit, credentials: Credentials) -> None:
        """Note that the first text came. Not at the end: the answer may be cut, or its client may leave."""
        permit.answered()
        self._keeper.mark_good(credentials)

    def _tell_dropped(self, sink: AnswerSink, messages: int, images: int) -> None:
        if messages:
            sink.dropped("messages", messages)
        if images:
            sink.dropped("images", images)


class PluginSite:
    """A site as an upstream, asked by the client of the plugin that its credentials are for.

    *clients*: by the names in `Credentials.plugin`; all of them use *gate*.
    """

    supported_parameters: frozenset[str] = frozenset()  # visitors of no plugin can give any

    def __init__(self, site: Site, gate: Gate, keeper: CredentialKeeper, clients: Mapping[str, PluginClient]) -> None:
        self.site = site
        self.name = site.origin
        self._gate = gate
        self._keeper = keeper
        self._clients = clients
        self._bots = UpstreamBots(site, (), 0.0, self)

    @property
    def kind(self) -> str | None:
        """As `Upstream.kind`."""
        state = self._keeper.state(self.name)
        return state.current.plugin if state else None

    def rank(self, bot: Bot) -> int:
        """As `Upstream.rank`."""
        return 3 if self._keeper.problem(self.name) else self._gate.rank(bot.id)

    def health(self) -> Health:
        """As `Upstream.health`."""
        state, trouble = self._keeper.state(self.name), self._keeper.problem(self.name)
        current, bots = (state.current, len(state.bots)) if state else (None, 0)
        return self._gate.health(self.kind, trouble, bots=bots, credentials=current)

    def has_tools(self, bot: Bot) -> bool:
        """As `Upstream.has_tools`: visitors of no plugin can give any."""
        return False

    def takes(self, bot: Bot, config: ToolConfig | None) -> bool:
        """As `Upstream.takes`."""
        return False

    @property
    def is_discovered(self) -> bool:
        """As `Upstream.is_discovered`."""
        return self._keeper.state(self.name) is not None

    async def discover(self) -> None:
        """As `Upstream.discover`."""
        try:
            await self._keeper.current(self.name)
        except NoCredentials as error:
            raise not_ready(str(error)) from error

    def bots(self) -> UpstreamBots:
        """As `Upstream.bots`."""
        state = self._keeper.state(self.name)
        bots, at = (state.bots, state.current.captured_at) if state else ((), 0.0)
        if (self._bots.bots, self._bots.discovered_at) != (bots, at):
            self._bots = UpstreamBots(self.site, bots, at, self)
        return self._bots

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`."""
        return self._client.scope(bot, history, note)

    async def answer(self, ask: Ask, bot: Bot, held: UpstreamCopy | None, sink: AnswerSink, budget: RetryBudget) -> End:
        """As `Upstream.answer`. The first credentials are waited for without a slot."""
        if self._keeper.state(self.name) is None:
            await self.discover()
        return await self._client.answer(ask, bot, held, sink, budget)

    @property
    def _client(self) -> PluginClient:
        state = self._keeper.state(self.name)
        return self._clients.get(state.current.plugin if state else AIPKIT, self._clients[AIPKIT])
