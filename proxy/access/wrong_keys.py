"""Throttling of wrong API keys, without locking out anybody who has a right one.

Many clients may share an address (behind a reverse proxy all do), so that wrong keys never block a right one. Keys are
always checked first; only the response to a wrong one is delayed.
"""

import asyncio
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from time import monotonic

from proxy.chat.errors import LimitExceeded

BURST = 10  # wrong keys that a source may send at once
EVERY_SECONDS = 2.0  # for each further one
MAX_SOURCES = 10_000  # remembered; the least recent are dropped
PAUSE_SECONDS = 1.0
MAX_PAUSED = 64  # at once; more are answered without a pause, for each of them is a request under way
IPV6_PREFIX = 64  # bits; the smallest network of one customer


class WrongKeyThrottle:
    """Counts wrong keys. The rate of each source is kept as one time (GCRA)."""

    def __init__(self) -> None:
        self._restored_at: OrderedDict[str, float] = OrderedDict()  # time when each may send `BURST` keys again
        self._paused = 0

    def record(self, source: str, now: float) -> float:
        """Record a wrong key of *source* at *now*; returns the seconds until the next is allowed, 0.0 within
        bounds."""
        restored_at = max(self._restored_at.get(source, now), now)
        wait = restored_at - now - (BURST - 1) * EVERY_SECONDS
        self._restored_at[source] = restored_at if wait > 0 else restored_at + EVERY_SECONDS
        self._restored_at.move_to_end(source)
        if len(self._restored_at) > MAX_SOURCES:
            self._restored_at.popitem(last=False)
        return max(wait, 0.0)

    async def throttle(self, address: str | None) -> LimitExceeded | None:
        """Record a wrong key from *address*. After too many of them this sleeps, and returns an error (429)."""
        wait = self.record(source_of(address), monotonic())
        if not wait:
            return None
        if self._paused < MAX_PAUSED:
            self._paused += 1
            try:
                await asyncio.sleep(PAUSE_SECONDS)
            finally:
                self._paused -= 1
        return LimitExceeded(
            429,
            "Incorrect API key provided, and too many before it; wait a moment. A right one is taken at any time.",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            retry_after=wait,
            should_retry=False,
        )


def source_of(address: str | None) -> str:
    """The source that *address* belongs to: an IPv4 address, or the network of an IPv6 one."""
    try:
        parsed = ip_address(address or "")
    except ValueError:  # a Unix socket's, or none any more
        return ""
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(int(parsed) >> (128 - IPV6_PREFIX)) if mapped is None else str(mapped)
    return str(parsed)
