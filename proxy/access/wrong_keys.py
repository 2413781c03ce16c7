"""Slowing down who tries keys, without keeping anybody out who has a right one.

Many may come from one address (behind a reverse proxy all do), so that no number of wrong keys may shut out the right
one. It is looked at first, always; what waits is the answer to a wrong one.
"""

import asyncio
from ipaddress import IPv6Address, ip_address
from time import monotonic

from proxy.access.guesses import Guesses
from proxy.chat.errors import Refused

PAUSE_SECONDS = 1.0
MAX_PAUSED = 64  # at once; more are answered without a pause, for each of them is a request under way
NETWORK_6 = 64  # bits of an IPv6 address: what one customer has at least


class WrongKeys:
    """Told of every wrong key."""

    def __init__(self) -> None:
        self._guesses = Guesses()
        self._paused = 0

    async def told(self, address: str | None) -> Refused | None:
        """A wrong key came from *address*. After too many of them this takes a while, and returns an error (429)."""
        wait = self._guesses.failed(source_of(address), monotonic())
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
