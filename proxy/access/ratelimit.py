"""What a key with limits is told of them in OpenAI's headers and errors; counting alone while the store is away; and
when a site's own limit is over."""

from collections.abc import Mapping
from math import ceil

from proxy.chat.errors import Refused
from shared.admin.keys import DAY_SECONDS, WINDOW_SECONDS, ApiKey, Counts

EXPOSED = ", ".join(
    f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in ("limit", "remaining", "reset")
)


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
    if key.tpd is not None and counts.tokens >= key.tpd:
        return _refused("tokens", "tokens per day (TPD)", key.tpd, key, _until_midnight(now), should_retry=False)
    is_hopeless = key.rpm is not None and wanted > key.rpm
    return _refused(
        *("requests", "requests per min (RPM)", key.rpm or 0, key, _until_next(counts, now)),
        should_retry=False if is_hopeless else None,
        wanted=wanted,
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
        for second in [second for second in self._seconds if second <= int(now) - WINDOW_SECONDS]:
            del self._seconds[second]


def _headers(of: str, limit: int, used: int, reset: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{of}": str(limit),
        f"x-ratelimit-remaining-{of}": str(max(limit - used, 0)),
        f"x-ratelimit-reset-{of}": _duration(reset),
    }


def _refused(
    type: str,
    what: str,
    limit: int,
    key: ApiKey,
    wait: float,
    *,
    should_retry: bool | None = None,
    wanted: int = 1,
) -> Refused:
    asked = f", Requested {wanted} ('n' answers are as many requests)" if wanted > 1 else ""
    return Refused(
        429,
        f"Rate limit reached for the key '{key.name}' on {what}: Limit {limit}{asked}. Try again in {_duration(wait)}.",
        type=type,
        code="rate_limit_exceeded",
        retry_after=ceil(wait),
        should_retry=should_retry,
    )


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
