"""Reading request bodies and pictures without holding up everybody else."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

LARGE_BYTES = 1024 * 1024  # work on more is done in a thread; on less it takes a few milliseconds

T = TypeVar("T")


async def read_body(request: web.Request, parse: Callable[[bytes], T]) -> T:
    """What *parse*, a pure function, makes of the request's body. Raises what it raises."""
    return await work_on(await request.read(), parse)


async def work_on(content: bytes, work: Callable[[bytes], T]) -> T:
    """The result of the pure function *work*, which takes long for long *content*. Raises what it raises."""
    return await asyncio.to_thread(work, content) if len(content) > LARGE_BYTES else work(content)
