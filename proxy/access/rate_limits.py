"""Rate limits of API keys, enforced together with all other proxies on the same store.

While the store is unavailable each process counts alone. Callers get their limits in OpenAI's headers and errors.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from math import ceil
from time import monotonic, time
from typing import Any, NamedTuple

from proxy.chat.errors import LimitExceeded
from shared.admin.keys import AHEAD_SECONDS, WINDOW_SECONDS, ApiKey, KeyCounts
from shared.admin.usage import DAY_SECONDS, day_of
from shared.store import Store, StoreError

PATIENCE_SECONDS = 1.0  # longest wait for the store; then this process counts alone
UNAVAILABLE_SECONDS = 1.0  # before the store is queried again
RATE_LIMIT_HEADERS = ", ".join(
    f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in ("limit", "remaining", "reset")
)

log = logging.getLogger(__name__)


class Admission(NamedTuple):
    """Whether a request is admitted, and its rate limit headers."""

    headers: Mapping[str, str]
    error: LimitExceeded | None

    def check(self) -> None:
        """Raise the error, if there is one."""
        if self.error is not None:
            raise self.error


class RateLimiter:
    """The limits of all keys that have any (`Caller.limited_key`)."""

    def __init__(self, store: Store, unwritten_tokens: Callable[[str], int]) -> None:
        """*unwritten_tokens*: returns the tokens of a key of today that are not in the store yet."""
        self._store = store
        self._unwritten_tokens = unwritten_tokens
        self._local_counts: dict[str, LocalCounts] = {}
        self._stored_tokens: dict[str, tuple[int, int]] = {}  # day, and tokens as the store returned them last
        self._unavailable_until = 0.0

    async def admit(self, key: ApiKey, count: int = 1, *, counted_before: int = 0) -> Admission:
        """Count *count* requests with *key*, or refuse them all. *counted_before*: those of the same HTTP request that
        were counted before; if it is refused, they count no more."""
        now = time()
        unwritten = self._unwritten_tokens(key.id)
        local = self._local_counts.setdefault(key.id, LocalCounts())
        tpd = None if key.tpd is None else key.tpd - unwritten
        counts = await self._query(self._store.admit_requests(key.id, at=now, rpm=key.rpm, tpd=tpd, count=count))
        if counts is None:
            counts = local.take(key, self._known_tokens(key.id, now) + unwritten, now, count)
        else:
            self._stored_tokens[key.id] = day_of(now), counts.tokens
            counts = counts._replace(tokens=counts.tokens + unwritten)
            if counts.is_admitted:
                local.add(now, count)
        if counted_before and not counts.is_admitted:
            await self._query(self._store.admit_requests(key.id, at=now, rpm=None, tpd=None, count=-counted_before))
            local.add(now, -counted_before)
            counts = counts._replace(requests=counts.requests - counted_before)
        headers = limit_headers(key, counts, now)
        return Admission(
            headers, None if counts.is_admitted else rate_limit_error(key, counts, now, counted_before + count)
        )

    async def headers(self, key: ApiKey) -> Mapping[str, str]:
        """The headers for a request with *key* that does not count."""
        now = time()
        counts = await self._query(self._store.key_counts(key.id, at=now))
        if counts is None:
            counts = self._local_counts.setdefault(key.id, LocalCounts()).counts(self._known_tokens(key.id, now), now)
        return limit_headers(key, counts._replace(tokens=counts.tokens + self._unwritten_tokens(key.id)), now)

    def _known_tokens(self, key_id: str, now: float) -> int:
        """A key's tokens of today, as the store returned them last."""
        day, tokens = self._stored_tokens.get(key_id, (0, 0))
        return tokens if day == day_of(now) else 0

    async def _query(self, query: Coroutine[Any, Any, KeyCounts]) -> KeyCounts | None:
        """Query the store; None while it is unavailable."""
        if monotonic() < self._unavailable_until:
            query.close()
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await query
        except (TimeoutError, StoreError) as error:
            self._unavailable_until = monotonic() + UNAVAILABLE_SECONDS
            log.warning("limits of keys are counted by this process alone: %s", str(error) or "the store is busy")
            return None


def limit_headers(key: ApiKey, counts: KeyCounts, now: float) -> Mapping[str, str]:
    """The rate limit headers for a holder of *key* at *now* (Unix seconds)."""
    headers: dict[str, str] = {}
    if key.rpm is not None:
        headers |= _headers("requests", key.rpm, counts.requests, _until_next(counts, now))
    if key.tpd is not None:
        headers |= _headers("tokens", key.tpd, counts.tokens, _until_midnight(now))
    return headers


def rate_limit_error(key: ApiKey, counts: KeyCounts, now: float, requested: int = 1) -> LimitExceeded:
    """The error for *requested* requests that *counts* does not admit."""
    is_spent = key.tpd is not None and counts.tokens >= key.tpd
    is_hopeless = is_spent or (key.rpm is not None and requested > key.rpm)
    note = ""
    if is_spent:
        type, what, limit, wait = "tokens", "tokens per day (TPD)", key.tpd, _until_midnight(now)
    else:
        type, what, limit, wait = "requests", "requests per min (RPM)", key.rpm, _until_next(counts, now)
        note = f", Requested {requested} ('n' answers are as many requests)" if requested > 1 else ""
    return LimitExceeded(
        429,
        f"Rate limit reached for the key '{key.name}' on {what}: Limit {limit}{note}. Try again in {_duration(wait)}.",
        type=type,
        code="rate_limit_exceeded",
        retry_after=ceil(wait),
        should_retry=False if is_hopeless else None,
    )


class LocalCounts:
    """The requests that this process admitted for one key in the last minute."""

    def __init__(self) -> None:
        self._seconds: dict[int, int] = {}

    def add(self, now: float, count: int) -> None:
        """Add *count* admitted requests."""
        self._expire(now)
        self._seconds[int(now)] = self._seconds.get(int(now), 0) + count

    def take(self, key: ApiKey, tokens: int, now: float, count: int) -> KeyCounts:
        """As `Store.admit_requests`, for this process alone; *tokens*: the known ones of today."""
        self._expire(now)
        requests = sum(self._seconds.values())
        if (key.rpm is not None and requests + count > key.rpm) or (key.tpd is not None and tokens >= key.tpd):
            return self.counts(tokens, now)
        self.add(now, count)
        return self.counts(tokens, now)._replace(is_admitted=True)

    def counts(self, tokens: int, now: float) -> KeyCounts:
        """As `Store.key_counts`."""
        self._expire(now)
        return KeyCounts(False, sum(self._seconds.values()), min(self._seconds, default=None), tokens)

    def _expire(self, now: float) -> None:
        """Drop what is older than a minute, or in the future: counted before the clock was set back."""
        counting = range(int(now) - WINDOW_SECONDS + 1, int(now) + AHEAD_SECONDS + 1)
        self._seconds = {second: count for second, count in self._seconds.items() if second in counting}


def _headers(of: str, limit: int, used: int, reset: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{of}": str(limit),
        f"x-ratelimit-remaining-{of}": str(max(limit - used, 0)),
        f"x-ratelimit-reset-{of}": _duration(reset),
    }


def _until_next(counts: KeyCounts, now: float) -> float:
    """Seconds until the oldest request no longer counts."""
    return 0.0 if counts.oldest is None else max(counts.oldest + WINDOW_SECONDS - now, 0.0)


def _until_midnight(now: float) -> float:
    return DAY_SECONDS - now % DAY_SECONDS


def _duration(seconds: float) -> str:
    """Format seconds as OpenAI does: `850ms`, `12s`, `6m0s`, `5h3m20s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds else "0s"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
