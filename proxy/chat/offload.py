"""Work that takes long, done where nobody else waits for it."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

LARGE_BYTES = 256 * 1024  # work on more is done in a thread; on less it takes a few milliseconds

T = TypeVar("T")


async def aside(size: int, work: Callable[[], T]) -> T:
    """The result of the pure function *work*, which takes long where it is about much (*size*, bytes or characters)."""
    return await asyncio.to_thread(work) if size > LARGE_BYTES else work()
