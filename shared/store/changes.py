"""Change notification for the watchers of a store."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from shared.store import StoreUnavailable

MIN_PAUSE, MAX_PAUSE = 0.2, 30.0  # backoff after an unexpected exception

log = logging.getLogger(__name__)


class Changes(ABC):
    """One for each store. This process announces its own changes by `notify`; a subclass follows those of others."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Event] = set()
        self._follower: asyncio.Task[None] | None = None
        self._is_following = asyncio.Event()
        self._is_closed = False

    @abstractmethod
    async def _follow(self) -> None:
        """Run while there are watchers: set `_is_following` once no change is missed, call `notify` after each."""

    def notify(self) -> None:
        """Wake all watchers. Call it in the event loop's thread."""
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
        self._is_following.set()  # those that still wait for it have to end too

    async def _run(self) -> None:
        """Run `_follow`, and restart it after any exception: watchers would wait for ever otherwise."""
        pause = MIN_PAUSE
        while True:
            started = time.monotonic()
            try:
                await self._follow()
            except Exception:
                if time.monotonic() - started > MAX_PAUSE:
                    pause = MIN_PAUSE
                log.exception("the store's changes are not followed; beginning again in %.1f s", pause)
            self._is_following.set()
            self.notify()  # changes may have been missed
            await asyncio.sleep(pause)
            self.notify()  # and during the pause, too
            pause = min(2 * pause, MAX_PAUSE)

    async def _stop(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            self._is_following.clear()  # before the wait, in which another follower may begin
            follower.cancel()
            await asyncio.wait({follower})
