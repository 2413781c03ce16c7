"""Telling all who watch a store that it changed."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable

from shared.store import StoreError, StoreUnavailable

Version = tuple[int, ...] | None
EAGER_SECONDS, EAGER_PAUSE = 15.0, 0.05  # somebody may wait for what has just been started
LEAST_PAUSE, MOST_PAUSE = 0.2, 30.0  # after a failure that nobody knows

log = logging.getLogger(__name__)


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
        self._is_following.set()  # whoever still waits for that is to end too

    async def _run(self) -> None:
        """Follow, and begin again whatever happens: who watches would wait for ever otherwise."""
        pause = LEAST_PAUSE
        while True:
            begun = time.monotonic()
            try:
                await self._follow()
            except Exception:
                if time.monotonic() - begun > MOST_PAUSE:
                    pause = LEAST_PAUSE
                log.exception("the store's changes are not followed; beginning again in %.1f s", pause)
            self._is_following.set()
            self.notify()  # what happened meanwhile may have been missed
            await asyncio.sleep(pause)
            self.notify()  # and so may what happened during the pause
            pause = min(2 * pause, MOST_PAUSE)

    async def _stop(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            self._is_following.clear()  # before the wait, in which another follower may begin
            follower.cancel()
            await asyncio.wait({follower})


class PolledChanges(Changes):
    """For a store that has to be asked whether it changed."""

    def __init__(self, version: Callable[[], Awaitable[Version]], *, seconds: float) -> None:
        """*version* gives a value that differs after a change by another process.

        It is asked every *seconds*, at first more often.
        """
        super().__init__()
        self._version = version
        self._seconds = seconds
        self._eager_until = time.monotonic() + EAGER_SECONDS

    async def _follow(self) -> None:
        seen = await self._look()
        self._is_following.set()
        while True:
            is_eager = time.monotonic() < self._eager_until
            await asyncio.sleep(min(self._seconds, EAGER_PAUSE) if is_eager else self._seconds)
            if (version := await self._look()) != seen:
                seen = version
                self.notify()

    async def _look(self) -> Version:
        try:
            return await self._version()
        except StoreError:
            return None  # that the store went away is a change too: whoever looks at it sees the error itself
