"""Ending in good order: what is under way may finish for a while, and the rest is told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from aiohttp import web

from proxy.chat.errors import ServiceError

RETRY_AFTER_SECONDS = 2.0
TELL_SECONDS = 2.0  # for telling those that did not finish


class Stopping:
    """Knows every request under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_over = False  # nobody may go on; a request that is cancelled now is to tell its client

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._tasks)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count the current task as a request under way."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._tasks.add(task)
        self._idle.clear()
        try:
            yield
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self._idle.set()

    async def finish(self, seconds: float, hurry: asyncio.Event) -> int:
        """Wait until nothing is under way, at most so long; then end the rest, and return how many that were."""
        waits = [asyncio.ensure_future(wait) for wait in (self._idle.wait(), hurry.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        rest = list(self._tasks)
        self.is_over = True
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=TELL_SECONDS)
        return len(rest)


STOPPING = web.AppKey("STOPPING", Stopping)


def stopping_error() -> ServiceError:
    """What a client is told whose request cannot be finished any more."""
    return ServiceError(
        503,
        "The proxy is being stopped or restarted; try again in a moment.",
        type="server_error",
        code="stopping",
        retry_after=RETRY_AFTER_SECONDS,
    )
