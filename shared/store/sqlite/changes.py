"""Change notification by polling the version of the SQLite file."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from shared.store import StoreError
from shared.store.changes import Changes

POLL_SECONDS = 0.2
EAGER_SECONDS, EAGER_PAUSE = 15.0, 0.05  # polls often at first: somebody may be waiting for a start

Version = tuple[int, ...] | None


class PolledChanges(Changes):
    """Polls for changes by other processes, while there are watchers."""

    def __init__(self, version: Callable[[], Awaitable[Version]]) -> None:
        """*version* returns a value that differs after a change by another process."""
        super().__init__()
        self._version = version
        self._eager_until = time.monotonic() + EAGER_SECONDS

    async def _follow(self) -> None:
        last = await self._poll()
        self._is_following.set()
        while True:
            await asyncio.sleep(EAGER_PAUSE if time.monotonic() < self._eager_until else POLL_SECONDS)
            if (version := await self._poll()) != last:
                last = version
                self.notify()

    async def _poll(self) -> Version:
        try:
            return await self._version()
        except StoreError:
            return None  # an outage is a change too: watchers get the error when they read
