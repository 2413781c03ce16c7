"""Telling all who watch a store that it changed."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable

from shared.store import StoreError, StoreUnavailable

Version = tuple[int, ...] | None


class Changes(ABC):
    """One per store. What this process is told is announced by `notify`; a subclass follows the others."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Event] = set()
        self._follower: asyncio.Task[None] | None = None
        self._is_following = asyncio.Event()
        self._is_closed = False

    @abstractmethod
    async def _follow(self) -> None:
        """Run while somebody watches: set `_is_following` as soon as no change is missed, `notify` after each."""

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
        if self._follower is None:
            self._follower = asyncio.create_task(self._run(), name="store-changes")
        try:
            await self._is_following.wait()
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

    async def _run(self) -> None:
        try:
            await self._follow()
        finally:
            self._is_following.set()  # nobody waits for a follower that has ended

    async def _stop(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.cancel()
            await asyncio.wait({follower})
            self._is_following.clear()
            if not follower.cancelled():
                follower.result()  # it ends by itself only by a fault of ours, which must show


class PolledChanges(Changes):
    """For a store that has to be asked whether it changed."""

    def __init__(self, version: Callable[[], Awaitable[Version]], *, seconds: float) -> None:
        """*version* gives a value that differs after a change by another process; it is asked every *seconds*."""
        super().__init__()
        self._version = version
        self._seconds = seconds
        self._seen: Version = None

    def start_from(self, version: Version) -> None:
        """Take *version* as seen."""
        self._seen = version

    async def _follow(self) -> None:
        self._is_following.set()
        while True:
            try:
                version = await self._version()
            except StoreError:
                version = None  # that the store went away is a change too: whoever looks at it sees the error itself
            if version != self._seen:
                self._seen = version
                self.notify()
            await asyncio.sleep(self._seconds)
