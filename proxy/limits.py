"""How many streams may be open to one site, and how long others wait for their turn."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxy.protocol.errors import ServiceError

MAX_WAITING = 256
WAIT_SECONDS = 30.0


class SiteLimit:
    """A bounded number of places, and a bounded queue for them."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold one place. Raises `ServiceError` (429) when the queue is full or moves too slowly."""
        await self._enter()
        try:
            yield
        finally:
            self._places.release()

    async def _enter(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        if self._waiting >= MAX_WAITING:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1


def _busy() -> ServiceError:
    return ServiceError(
        429,
        "Too many requests are waiting for this site; FREEAICHAT_MAX_UPSTREAM sets how many it answers at once.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after=5,
    )
