"""One reply of one site, tried again where that may help: before the site put the message into its history."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic

from tenacity import AsyncRetrying, RetryCallState

from proxy.upstreams.aipkit.client import Upstream
from proxy.upstreams.aipkit.credentials import MAX_TRIES, RESTART_PAUSES
from proxy.upstreams.aipkit.direct import Direct
from proxy.upstreams.aipkit.reader import ReplyReader
from proxy.upstreams.aipkit.refusals import Kind, SiteRefusal
from proxy.upstreams.aipkit.requests import SiteTurn
from proxy.upstreams.gate import Passage
from shared.models import Credentials

MAX_ATTEMPTS = MAX_TRIES  # of one request, on all sites together
RETRY_SECONDS = 60.0  # after which nothing is tried again

_PAUSING = AsyncRetrying(wait=RESTART_PAUSES)

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
    def pause(self) -> float:
        """Seconds before the next one where nobody was there, and the site may be restarting."""
        state = RetryCallState(_PAUSING, None, (), {})
        state.attempt_number = MAX_ATTEMPTS - self._left
        return RESTART_PAUSES(state)

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
        await self._upstream.credentials(self._site)  # the first ones are waited for without a place
        async with self._upstream.sites[self._site].enter(self._bot_id, caller) as passage:
            self.credentials = await self._upstream.credentials(self._site)
            attempt, first = await self._begin(build, passage, has_alternative=has_alternative, direct=direct)
            async with aclosing(attempt) as texts:
                if first is not None:
                    # Known now, since the answer may be left at any time: cut, or without its client.
                    passage.answered()
                    self._upstream.answered(self.credentials)
                    yield first
                    del first
                async for text in texts:
                    yield text

    async def _begin(
        self, build: BuildTurn, passage: Passage, *, has_alternative: bool, direct: Direct | None
    ) -> tuple[AsyncGenerator[str, None], str | None]:
        """An attempt and its first text (None: it ended without any). After that, nothing is tried again."""
        while True:
            self._attempts.take()
            self.turn = build(self.credentials)
            if len(self.turn.images) > 1:
                await self._upstream.learn_pictures(self.credentials)
                self.turn = build(self.credentials)
            self.reader = ReplyReader(self.turn.provider)
            is_trial = passage.is_trial and has_alternative
            attempt = self._upstream.texts(self.credentials, self.turn, self.reader, direct, is_trial=is_trial)
            try:
                return attempt, await anext(attempt, None)
            except SiteRefusal as refusal:
                refusal.hide(self.credentials.secrets)
                if refusal.logged or self.reader.started or not self._attempts.may_retry:
                    raise
                self.credentials = await self._upstream.recover(
                    refusal, self.credentials, passage, bot_id=self._bot_id, has_alternative=has_alternative
                )
                log.info("turn refused by %s (%s), mended", self._site, refusal.kind.value)
                is_restarting = refusal.kind is Kind.UNREACHABLE
            if is_restarting:
                async with passage.outside():
                    await asyncio.sleep(self._attempts.pause)
