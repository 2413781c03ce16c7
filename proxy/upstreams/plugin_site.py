"""One configured site as an upstream, whichever chat plugin its last visit found there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from proxy.chat.ask import Ask
from proxy.chat.upstream import AnswerSink, End, Health, Held, SiteBots, Tries, Upstream
from proxy.upstreams.aipkit.credentials import CredentialKeeper
from proxy.upstreams.gate import Gate
from shared.conversations import Message, Note
from shared.models import AIPKIT, Bot
from shared.parsing import Site


class PluginClient(Upstream, Protocol):
    """The upstream of one kind of plugin."""

    site: Site
    gate: Gate


class PluginSite:
    """Hands everything on to the client of the plugin that the site's credentials are for.

    *clients*: of the same site and gate, by the names in `Credentials.plugin`.
    """

    def __init__(self, keeper: CredentialKeeper, clients: Mapping[str, PluginClient]) -> None:
        self._keeper = keeper
        self._clients = clients
        self.site = clients[AIPKIT].site
        self.gate = clients[AIPKIT].gate
        self._bots: tuple[SiteBots, SiteBots] | None = None  # as its client has them, and as its own

    @property
    def _client(self) -> PluginClient:
        state = self._keeper.state(self.site.origin)
        return self._clients.get(state.current.plugin if state else AIPKIT, self._clients[AIPKIT])

    @property
    def name(self) -> str:
        """As `Upstream.name`."""
        return self.site.origin

    @property
    def has_tools(self) -> bool:
        """Whether it takes tools itself: visitors of no plugin can give any."""
        return False

    def rank(self, bot: Bot) -> int:
        """As `Upstream.rank`."""
        return self._client.rank(bot)

    def health(self) -> Health:
        """As `Upstream.health`."""
        return self._client.health()

    @property
    def is_known(self) -> bool:
        """As `Upstream.is_known`."""
        return self._client.is_known

    async def discover(self) -> None:
        """As `Upstream.discover`."""
        await self._client.discover()

    def bots(self) -> SiteBots:
        """As `Upstream.bots`."""
        told = self._client.bots()
        if self._bots is None or self._bots[0] is not told:
            self._bots = told, replace(told, upstream=self)
        return self._bots[1]

    def scope(self, bot: Bot, history: Sequence[Message], note: Note | None = None) -> tuple[str, ...] | None:
        """As `Upstream.scope`."""
        return self._client.scope(bot, history, note)

    async def answer(self, ask: Ask, bot: Bot, held: Held | None, sink: AnswerSink, tries: Tries) -> End:
        """As `Upstream.answer`. The first credentials tell which plugin it is."""
        if not self.is_known:
            await self.discover()
        return await self._client.answer(ask, bot, held, sink, tries)
