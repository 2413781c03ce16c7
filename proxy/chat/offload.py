"""Running slow pure functions in a thread, so that they do not block the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

LARGE_BYTES = 256 * 1024  # work on more is done in a thread; on less it takes a few milliseconds

T = TypeVar("T")


async def offload(size: int, work: Callable[[], T]) -> T:
    """Return the result of the pure function *work*, run in a thread where *size* (bytes or characters) is
    large."""
    return await asyncio.to_thread(work) if size > LARGE_BYTES else work()
