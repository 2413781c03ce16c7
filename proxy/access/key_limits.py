"""Holding holders of limited keys to their limits, together with all other proxies on the same store."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from time import monotonic, time
from typing import Any, NamedTuple

from proxy.access.ratelimit import LocalCounts, limit_headers, refusal
from proxy.access.rules import Caller
from proxy.chat.errors import Refused
from shared.admin.keys import Counts
from shared.store import Store, StoreError

PATIENCE_SECONDS = 1.0  # for the store; then this process counts alone
AWAY_SECONDS = 1.0  # so long it is not asked again

log = logging.getLogger(__name__)


class Admission(NamedTuple):
    """Whether a request may go on, and the headers that tell its caller how much is left."""

    headers: Mapping[str, str]
    refusal: Refused | None

    def check(self) -> None:
        """Raise the refusal, if there is one."""
        if self.refusal is not None:
            raise self.refusal


FREE = Admission({}, None)


class KeyLimits:
    """The limits of all keys. One that has none costs nothing."""

    def __init__(self, store: Store, unwritten_tokens: Callable[[str], int]) -> None:
        """*unwritten_tokens*: those of a key's tokens of today that the store does not know yet."""
        self._store = store
        self._unwritten = unwritten_tokens
        self._local: dict[str, LocalCounts] = {}
        self._tokens: dict[str, int] = {}  # as the store said last
        self._away_until = 0.0

    async def admit(self, caller: Caller, count: int = 1, *, more_than: int = 0) -> Admission:
        """Count so many turns of *caller*, or refuse them all. *more_than*: of the same request, counted before."""
        key = caller.key
        if key is None or not key.is_limited:
            return FREE
        now = time()
        waiting = self._unwritten(key.id)
        local = self._local.setdefault(key.id, LocalCounts())
        tpd = None if key.tpd is None else max(key.tpd - waiting, 0)
        counts = await self._ask(self._store.take_request(key.id, at=now, rpm=key.rpm, tpd=tpd, count=count))
        if counts is None:
            counts = local.take(key, self._tokens.get(key.id, 0) + waiting, now, count)
        else:
            self._tokens[key.id] = counts.tokens
            counts = counts._replace(tokens=counts.tokens + waiting)
            if counts.is_admitted:
                local.note(now, count)
        headers = limit_headers(key, counts, now)
        return Admission(headers, None if counts.is_admitted else refusal(key, counts, now, more_than + count))

    async def headers(self, caller: Caller) -> Mapping[str, str]:
        """What to tell *caller* with the answer to a request that does not count."""
        key = caller.key
        if key is None or not key.is_limited:
            return FREE.headers
        now = time()
        counts = await self._ask(self._store.key_counts(key.id, at=now))
        if counts is None:
            counts = self._local.setdefault(key.id, LocalCounts()).counts(self._tokens.get(key.id, 0), now)
        return limit_headers(key, counts._replace(tokens=counts.tokens + self._unwritten(key.id)), now)

    async def _ask(self, question: Coroutine[Any, Any, Counts]) -> Counts | None:
        """The store's answer; None while it is away."""
        if monotonic() < self._away_until:
            question.close()
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await question
        except (TimeoutError, StoreError) as error:
            self._away_until = monotonic() + AWAY_SECONDS
            log.warning("limits of keys are counted by this process alone: %s", str(error) or "the store is busy")
            return None
