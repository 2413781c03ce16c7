"""Slowing down who tries keys, without keeping anybody out who has a right one.

Many may come from one address (behind a reverse proxy all do), so that no number of wrong keys may shut out the right
one. It is looked at first, always; what waits is the answer to a wrong one.
"""

import asyncio
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from time import monotonic

from proxy.chat.errors import Refused

BURST = 10  # wrong keys that a source may try at once
EVERY_SECONDS = 2.0  # after which it may try one more
MAX_SOURCES = 10_000  # of which it is known; those that were quiet for longest are forgotten
PAUSE_SECONDS = 1.0
MAX_PAUSED = 64  # at once; more are answered without a pause, for each of them is a request under way
NETWORK_6 = 64  # bits of an IPv6 address: what one customer has at least


class WrongKeys:
    """Told of every wrong key. The rate of each source is held by one time (GCRA)."""

    def __init__(self) -> None:
        self._paid_until: OrderedDict[str, float] = OrderedDict()  # when each has all its tries again
        self._paused = 0

    def tried(self, source: str, now: float) -> float:
        """*source* tried a wrong key at *now*: the seconds until it may try the next; 0.0: it was within bounds."""
        paid_until = max(self._paid_until.get(source, now), now)
        wait = paid_until - now - (BURST - 1) * EVERY_SECONDS
        self._paid_until[source] = paid_until if wait > 0 else paid_until + EVERY_SECONDS
        self._paid_until.move_to_end(source)
        if len(self._paid_until) > MAX_SOURCES:
            self._paid_until.popitem(last=False)
        return max(wait, 0.0)

    async def told(self, address: str | None) -> Refused | None:
        """A wrong key came from *address*. After too many of them this takes a while, and returns an error (429)."""
        wait = self.tried(source_of(address), monotonic())
        if not wait:
            return None
        if self._paused < MAX_PAUSED:
            self._paused += 1
            try:
                await asyncio.sleep(PAUSE_SECONDS)
            finally:
                self._paused -= 1
        return Refused(
            429,
            "Incorrect API key provided, and too many before it; wait a moment. A right one is taken at any time.",
            type="rate_limit_error",
            code="rate_limit_exceeded",
            retry_after=wait,
            should_retry=False,
        )


def source_of(address: str | None) -> str:
    """Who counts as one for *address*: an IPv4 address, or the network of an IPv6 one."""
    try:
        found = ip_address(address or "")
    except ValueError:  # a Unix socket's, or none any more
        return ""
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(int(found) >> (128 - NETWORK_6)) if mapped is None else str(mapped)
    return str(found)
