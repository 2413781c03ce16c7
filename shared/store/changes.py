"""Telling all who watch a store that it changed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from shared.store import StoreError, StoreUnavailable

Version = tuple[int, ...] | None


class Changes:
    """One per store. Changes of this process are announced by `notify`, those of others are looked for while
    somebody watches."""

    def __init__(self, version: Callable[[], Awaitable[Version]], *, seconds: float) -> None:
        """*version* gives a value that differs after a change by another process; it is asked every *seconds*."""
        self._version = version
        self._seconds = seconds
        self._seen: Version = None
        self._watchers: set[asyncio.Event] = set()
        self._poller: asyncio.Task[None] | None = None
        self._is_closed = False

    def start_from(self, version: Version) -> None:
        """Take *version* as seen."""
        self._seen = version

    def notify(self) -> None:
        """Wake all who watch. Call it in the event loop's thread."""
        for watcher in self._watchers:
            watcher.set()

    async def watch(self) -> AsyncGenerator[None, None]:
        """As `Store.watch`. Ends when the store is closed; raises `StoreUnavailable` if it was closed before."""
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        changed = asyncio.Event()
        self._watchers.add(changed)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll(), name="store-changes")
        try:
            while not self._is_closed:
                yield
                await changed.wait()
                changed.clear()
        finally:
            self._watchers.discard(changed)
            if not self._watchers:
                await self._stop()

    async def close(self) -> None:
        """End all watching."""
        self._is_closed = True
        self.notify()
        await self._stop()

    async def _poll(self) -> None:
        while True:
            try:
                version = await self._version()
            except StoreError:
                version = None  # that the store went away is a change too: whoever looks at it sees the error itself
            if version != self._seen:
                self._seen = version
                self.notify()
            await asyncio.sleep(self._seconds)

    async def _stop(self) -> None:
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            await asyncio.wait({poller})
            if not poller.cancelled():
                poller.result()  # it ends by itself only by a fault of ours, which must show
