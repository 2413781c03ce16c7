"""One reply of one site, tried again where that may help: before the site put the message into its history."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic

from proxy.direct import Direct
from proxy.protocol.aipkit import SiteTurn
from proxy.protocol.refusals import SiteRefusal
from proxy.protocol.reply import ReplyReader
from proxy.upstream import Upstream
from shared.models import Credentials

MAX_ATTEMPTS = 3  # of one request, on all sites together
RETRY_SECONDS = 60.0  # after which nothing is tried again

log = logging.getLogger(__name__)

BuildTurn = Callable[[Credentials], SiteTurn]


class Attempts:
    """How often one request may be tried, and how long."""

    def __init__(self) -> None:
        self._left = MAX_ATTEMPTS
        self._deadline = monotonic() + RETRY_SECONDS

    def take(self) -> None:
        """One is made."""
        self._left -= 1

    @property
    def may_retry(self) -> bool:
        """Whether another one may be made."""
        return self._left > 0 and monotonic() < self._deadline


class SiteReply:
    """One reply: `texts` yields it; afterwards `turn`, `reader` and `credentials` tell how it was got."""

    def __init__(self, upstream: Upstream, site: str, bot_id: int, attempts: Attempts) -> None:
        self._upstream = upstream
        self._site = site
        self._bot_id = bot_id
        self._attempts = attempts
        self.credentials: Credentials
        self.turn: SiteTurn
        self.reader = ReplyReader()

    async def texts(
        self, build: BuildTurn, caller: str, *, has_alternative: bool, direct: Direct | None
    ) -> AsyncGenerator[str, None]:
        """The reply's text as it comes. Raises `SiteRefusal` or `ServiceError`.

        *build* makes the turn for the credentials it is sent with. (It is not kept: it leads back to whoever keeps this
        reply, and garbage that only the collector finds is held for long.)
        """
        async with self._upstream.sites[self._site].enter(self._bot_id, caller):
            self.credentials = await self._upstream.credentials(self._site)
            while True:
                self._attempts.take()
                self.turn = build(self.credentials)
                if len(self.turn.images) > 1:
                    await self._upstream.learn_pictures(self.credentials)
                    self.turn = build(self.credentials)
                self.reader = ReplyReader(self.turn.provider)
                try:
                    attempt = self._upstream.texts(self.credentials, self.turn, self.reader, direct)
                    async with aclosing(attempt) as texts:
                        async for text in texts:
                            yield text
                    return
                except SiteRefusal as refusal:
                    refusal.hide(self.credentials.secrets)
                    if refusal.logged or self.reader.started or not self._attempts.may_retry:
                        raise
                    self.credentials = await self._upstream.recover(
                        refusal, self.credentials, bot_id=self._bot_id, has_alternative=has_alternative
                    )
                    log.info("turn refused by %s (%s), mended", self._site, refusal.kind.value)
