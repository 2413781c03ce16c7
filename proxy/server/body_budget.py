"""What the bodies of all requests under way take together, which one alone cannot make too much."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from aiohttp import web

from proxy.chat.errors import Refused

RETRY_AFTER_SECONDS = 1.0


class Bodies:
    """Counts what each request holds, from its arrival to its end: texts and pictures are needed until then."""

    def __init__(self, limit: int) -> None:
        """*limit*: bytes. A request that holds something alone may always go on."""
        self._limit = limit
        self._held: dict[asyncio.Task[object], int] = {}
        self._total = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Let go of what the current task's request held, once that has ended."""
        task = _current()
        try:
            yield
        finally:
            self._total -= self._held.pop(task, 0)

    def hold(self, size: int) -> None:
        """So many more bytes have come for the current task's request. Raises `ServiceError` (503)."""
        task = _current()
        own = self._held.get(task, 0)
        if self._total + size > self._limit and self._total > own:
            raise Refused(
                503,
                "The requests under way hold too much together; FREEAICHAT_MAX_BODIES sets how much they may.",
                type="server_error",
                code="overloaded",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._held[task] = own + size
        self._total += size


BODIES = web.AppKey("BODIES", Bodies)


def _current() -> "asyncio.Task[object]":
    return cast("asyncio.Task[object]", asyncio.current_task())
