"""Telling when a store that is watched has looked for the changes of others, so that what comes to nothing is seen."""

import asyncio

import pytest
from redis.asyncio.client import PubSub

from shared.store.redis import changes as redis_changes
from shared.store.redis.changes import PublishedChanges
from shared.store.sqlite.worker import Worker

SILENCE_SECONDS = 0.2  # after which Redis is asked whether it is there; its answer follows all that it told before


class Rounds:
    """Counts how often watched stores looked: SQLite for another version, Redis for another message."""

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

    async def two(self) -> None:
        """Wait until two of them are over: whatever was written before would have been noticed by then."""
        wanted = self._count + 3  # one goes on now and may have looked before, and the last is only begun
        async with asyncio.timeout(10):
            while self._count < wanted:
                await asyncio.sleep(0.01)
