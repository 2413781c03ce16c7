"""Random names that nobody can guess, at the price of one call to the system for many."""

import os
from collections.abc import Iterator

MAX_BYTES = 32  # of one name
_AT_ONCE = 128


def _names() -> Iterator[str]:
    digits = 2 * MAX_BYTES
    while True:
        block = os.urandom(MAX_BYTES * _AT_ONCE).hex()
        yield from (block[at : at + digits] for at in range(0, len(block), digits))


_next = _names().__next__


def random_hex(size: int) -> str:
    """*size* random bytes, at most `MAX_BYTES`, in hexadecimal. Not for processes that fork: they would share names."""
    return _next()[: 2 * size]
