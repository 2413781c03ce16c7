"""The format shared by load and stub: a message states how much text to send, and each token when it was sent.

A token is 24 characters: `|`, with which no call of a tool begins, its number (6 digits), `@` and the moment (16
digits, ns of the machine's monotonic clock). So the load sees each loss, each change of order, and how long each token
was on its way.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(rb"\|(\d{6})@(\d{16})")
_ASKED = re.compile(rb"tokens-(\d+)-pause-(\d+)")


@dataclass(frozen=True, slots=True)
class Order:
    """So many tokens, and so many microseconds between two of them (0: all at once)."""

    tokens: int
    pause: int

    @property
    def message(self) -> str:
        """The words for it, the same in JSON, in a form and in an address."""
        return f"tokens-{self.tokens}-pause-{self.pause}"


def read_order(request: bytes) -> Order:
    """The order in a request."""
    match = _ASKED.search(request)
    if match is None:
        raise ValueError("the request names no order")
    return Order(int(match[1]), int(match[2]))


def token(number: int, now: int) -> bytes:
    """One token, sent at *now*."""
    return b"|%06d@%016d" % (number, now)
