"""Holding holders of limited keys to their limits, together with all other proxies on the same store.

While the store is away each process counts alone. Callers are told of their limits in OpenAI's headers and errors.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from math import ceil
from time import monotonic, time
from typing import Any, NamedTuple

from proxy.access.rules import Caller
from proxy.chat.errors import Refused
from shared.admin.keys import AHEAD_SECONDS, DAY_SECONDS, WINDOW_SECONDS, ApiKey, Counts
from shared.admin.usage import day_of
from shared.store import Store, StoreError

PATIENCE_SECONDS = 1.0  # for the store; then this process counts alone
AWAY_SECONDS = 1.0  # so long it is not asked again
EXPOSED = ", ".join(
    f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in ("limit", "remaining", "reset")
)

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
        self._tokens: dict[str, tuple[int, int]] = {}  # of which day, and how many, as the store said last
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
            counts = local.take(key, self._known_tokens(key.id, now) + waiting, now, count)
        else:
            self._tokens[key.id] = day_of(now), counts.tokens
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
            counts = self._local.setdefault(key.id, LocalCounts()).counts(self._known_tokens(key.id, now), now)
        return limit_headers(key, counts._replace(tokens=counts.tokens + self._unwritten(key.id)), now)

    def _known_tokens(self, key_id: str, now: float) -> int:
        """A key's tokens of today, as far as the store told of them."""
        day, tokens = self._tokens.get(key_id, (0, 0))
        return tokens if day == day_of(now) else 0

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


def limit_headers(key: ApiKey, counts: Counts, now: float) -> Mapping[str, str]:
    """The headers for a response to a holder of *key* at *now* (Unix seconds)."""
    headers: dict[str, str] = {}
    if key.rpm is not None:
        headers |= _headers("requests", key.rpm, counts.requests, _until_next(counts, now))
    if key.tpd is not None:
        headers |= _headers("tokens", key.tpd, counts.tokens, _until_midnight(now))
    return headers


def refusal(key: ApiKey, counts: Counts, now: float, wanted: int = 1) -> Refused:
    """The error for a request of *wanted* turns that *counts* does not admit."""
    is_spent = key.tpd is not None and counts.tokens >= key.tpd
    is_hopeless = is_spent or (key.rpm is not None and wanted > key.rpm)
    asked = ""
    if is_spent:
        type, what, limit, wait = "tokens", "tokens per day (TPD)", key.tpd, _until_midnight(now)
    else:
        type, what, limit, wait = "requests", "requests per min (RPM)", key.rpm, _until_next(counts, now)
        asked = f", Requested {wanted} ('n' answers are as many requests)" if wanted > 1 else ""
    return Refused(
        429,
        f"Rate limit reached for the key '{key.name}' on {what}: Limit {limit}{asked}. Try again in {_duration(wait)}.",
        type=type,
        code="rate_limit_exceeded",
        retry_after=ceil(wait),
        should_retry=False if is_hopeless else None,
    )


class LocalCounts:
    """The requests that this process admitted for one key in the last minute."""

    def __init__(self) -> None:
        self._seconds: dict[int, int] = {}

    def note(self, now: float, count: int) -> None:
        """So many were admitted."""
        self._forget(now)
        self._seconds[int(now)] = self._seconds.get(int(now), 0) + count

    def take(self, key: ApiKey, tokens: int, now: float, count: int) -> Counts:
        """As `Store.take_request`, for this process alone; *tokens*: those of today that are known."""
        self._forget(now)
        requests = sum(self._seconds.values())
        if (key.rpm is not None and requests + count > key.rpm) or (key.tpd is not None and tokens >= key.tpd):
            return self.counts(tokens, now)
        self.note(now, count)
        return self.counts(tokens, now)._replace(is_admitted=True)

    def counts(self, tokens: int, now: float) -> Counts:
        """As `Store.key_counts`."""
        self._forget(now)
        return Counts(False, sum(self._seconds.values()), min(self._seconds, default=None), tokens)

    def _forget(self, now: float) -> None:
        """What is over, and what is still to come: that was counted before the clock was set back."""
        counting = range(int(now) - WINDOW_SECONDS + 1, int(now) + AHEAD_SECONDS + 1)
        self._seconds = {second: count for second, count in self._seconds.items() if second in counting}


def _headers(of: str, limit: int, used: int, reset: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{of}": str(limit),
        f"x-ratelimit-remaining-{of}": str(max(limit - used, 0)),
        f"x-ratelimit-reset-{of}": _duration(reset),
    }


def _until_next(counts: Counts, now: float) -> float:
    """Seconds until the oldest request no longer counts."""
    return 0.0 if counts.oldest is None else max(counts.oldest + WINDOW_SECONDS - now, 0.0)


def _until_midnight(now: float) -> float:
    return DAY_SECONDS - now % DAY_SECONDS


def _duration(seconds: float) -> str:
    """As OpenAI writes it: `850ms`, `12s`, `6m0s`, `5h3m20s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds else "0s"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
