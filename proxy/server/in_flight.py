"""The requests in flight: limits of their number and their memory, and ending them when the proxy stops."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from aiohttp import web

from proxy.chat.errors import LimitExceeded, ServiceError

RETRY_AFTER_SECONDS = 2.0  # where the proxy is stopping
OVERLOADED_SECONDS = 1.0
MAX_UNPACKING = 2  # bodies at once: until one is unpacked nothing says how much it holds
TELL_SECONDS = 2.0  # for sending errors to the clients of unfinished requests


class InFlight:
    """The requests in flight, by task, and the bytes that each holds: bodies and pictures."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        """*max_bytes*: of all together. The only request that holds something may exceed it."""
        self._max_requests, self._max_bytes = max_requests, max_bytes
        self._held: dict[asyncio.Task[object], int] = {}
        self._total = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.unpacking = asyncio.Semaphore(MAX_UNPACKING)
        self.is_over = False  # requests are being cancelled, and send their clients an error

    @property
    def count(self) -> int:
        """Number of requests in flight."""
        return len(self._held)

    @contextmanager
    def request(self, *, is_probe: bool = False) -> Iterator[None]:
        """Count the current task's request. Raises `LimitExceeded` (503) if there are too many; probes always pass."""
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
        """Add *size* bytes to the current task's request. Raises `LimitExceeded` (503) where all together are too
        much."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        held = self._held[task]
        if self._total + size > self._max_bytes and self._total > held:
            raise _overloaded(
                "The requests under way hold too much together; FREEAICHAT_MAX_BODIES sets how much they may."
            )
        self._held[task] = held + size
        self._total += size

    async def finish(self, seconds: float, hurry: asyncio.Event) -> int:
        """Wait up to *seconds* until no request is in flight; then cancel the others, and return their number."""
        waits = [asyncio.ensure_future(wait) for wait in (self._idle.wait(), hurry.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        unfinished = list(self._held)
        self.is_over = True
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=TELL_SECONDS)
        return len(unfinished)


IN_FLIGHT = web.AppKey("IN_FLIGHT", InFlight)


def stopping_error() -> ServiceError:
    """The error for requests that cannot finish before the proxy stops."""
    return ServiceError(
        503,
        "The proxy is being stopped or restarted; try again in a moment.",
        type="server_error",
        code="stopping",
        retry_after=RETRY_AFTER_SECONDS,
    )


def _overloaded(message: str) -> LimitExceeded:
    return LimitExceeded(503, message, type="server_error", code="overloaded", retry_after=OVERLOADED_SECONDS)
