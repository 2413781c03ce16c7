"""Count a watched store's polls for changes, so that a test can see that none caused an event."""

import asyncio

import pytest
from redis.asyncio.client import PubSub

from shared.store.redis import changes as redis_changes
from shared.store.redis.changes import PublishedChanges
from shared.store.sqlite.worker import Worker

SILENCE_SECONDS = 0.2  # after which Redis is asked whether it is there; its answer follows all that it told before


class PollCounter:
    """Counts the polls of watched stores: SQLite's for a new version, Redis' for a new message."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._count = 0
        patch.setattr(redis_changes, "SILENCE_SECONDS", SILENCE_SECONDS)
        version, following = Worker._version, PublishedChanges._next

        def counted_version(worker: Worker) -> tuple[int, int]:
            self._count += 1
            return version(worker)

        async def counted_next(changes: PublishedChanges, pubsub: PubSub) -> bool:
            found = await following(changes, pubsub)
            self._count += 1
            return found

        patch.setattr(Worker, "_version", counted_version)
        patch.setattr(PublishedChanges, "_next", counted_next)

    async def wait_for_two(self) -> None:
        """Wait until two polls have ended: whatever was written before has been noticed by then."""
        last = self._count + 3  # one goes on now and may have looked before, and the last is only begun
        async with asyncio.timeout(10):
            while self._count < last:
                await asyncio.sleep(0.01)
