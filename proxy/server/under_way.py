"""The requests under way: how many there may be, what they hold together, and how they end with the proxy."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from aiohttp import web

from proxy.chat.errors import Refused, ServiceError

RETRY_AFTER_SECONDS = 2.0  # where the proxy is stopping
OVERLOADED_SECONDS = 1.0
TELL_SECONDS = 2.0  # for telling those that did not finish


class UnderWay:
    """Knows every request under way, by its task, and counts what it holds until its end: texts and pictures."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        """*max_bytes*: of all together. A request that holds something alone may always go on."""
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self._held: dict[asyncio.Task[object], int] = {}
        self._total = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.is_over = False  # nobody may go on; a request that is cancelled now is to tell its client

    @property
    def count(self) -> int:
        """How many requests are under way."""
        return len(self._held)

    @contextmanager
    def request(self, *, is_probe: bool = False) -> Iterator[None]:
        """Count the current task's. Raises `Refused` (503) where there are too many already; probes always pass."""
        if len(self._held) >= self._max_requests and not is_probe:
            raise _overloaded("Too many requests are under way; FREEAICHAT_MAX_REQUESTS sets how many may be.")
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._held[task] = 0
        self._idle.clear()
        try:
            yield
        finally:
            self._total -= self._held.pop(task)
            if not self._held:
                self._idle.set()

    def hold(self, size: int) -> None:
        """So many more bytes have come for the current task's request. Raises `Refused` (503) where it is too much."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        own = self._held[task]
        if self._total + size > self._max_bytes and self._total > own:
            raise _overloaded(
                "The requests under way hold too much together; FREEAICHAT_MAX_BODIES sets how much they may."
            )
        self._held[task] = own + size
        self._total += size

    async def finish(self, seconds: float, hurry: asyncio.Event) -> int:
        """Wait until nothing is under way, at most so long; then end the rest, and return how many that were."""
        waits = [asyncio.ensure_future(wait) for wait in (self._idle.wait(), hurry.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        rest = list(self._held)
        self.is_over = True
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=TELL_SECONDS)
        return len(rest)


UNDER_WAY = web.AppKey("UNDER_WAY", UnderWay)


def stopping_error() -> ServiceError:
    """What a client is told whose request cannot be finished any more."""
    return ServiceError(
        503,
        "The proxy is being stopped or restarted; try again in a moment.",
        type="server_error",
        code="stopping",
        retry_after=RETRY_AFTER_SECONDS,
    )


def _overloaded(message: str) -> Refused:
    return Refused(503, message, type="server_error", code="overloaded", retry_after=OVERLOADED_SECONDS)
