"""The site's copies that clients without a conversation id may continue, kept in memory first and stored in batches.

A turn never waits for the disk because of them: what cannot be looked up in a moment is replayed as a transcript.
"""

import asyncio
import logging
from collections import OrderedDict
from contextlib import suppress
from time import time

from shared.conversations import Note
from shared.store import Store, StoreError

FLUSH_SECONDS = 0.25
LOOK_UP_SECONDS = 0.5  # longest wait for the store; the transcript serves as well
MAX_PENDING = 10_000  # above it, while the store is away, the oldest are forgotten
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Branches:
    """Run `keep_flushing` as a task for as long as requests are served, and `flush` at the end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: OrderedDict[str, list[tuple[Note, float]]] = OrderedDict()
        self._count = 0
        self._added = asyncio.Event()

    def keep(self, history: str, copy: Note) -> None:
        """Note that *copy* holds exactly the history with this digest."""
        self._pending.setdefault(history, []).append((copy, time()))
        self._count += 1
        self._added.set()
        if self._count > MAX_PENDING:
            _, forgotten = self._pending.popitem(last=False)
            self._count -= len(forgotten)

    async def take(self, history: str) -> Note | None:
        """Take the newest copy that holds this history: no two turns ever share one."""
        pending = self._pending.get(history)
        if pending:
            copy, _ = pending.pop()
            self._count -= 1
            if not pending:
                del self._pending[history]
            return copy
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await self._store.take_branch(history)
        return None

    async def keep_flushing(self) -> None:
        """Store what was kept, a batch at a time, until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StoreError as error:
                log.warning("%d continued conversations not stored yet: %s", self._count, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Store what was kept until now. Raises `StoreError`; then it is kept still."""
        batch, self._pending = self._pending, OrderedDict()
        count, self._count = self._count, 0
        self._added.clear()
        if not batch:
            return
        rows = [(history, copy, at) for history, copies in batch.items() for copy, at in copies]
        storing = asyncio.create_task(self._store.keep_branches(rows))
        try:
            await asyncio.shield(storing)
        finally:
            # Whoever is cancelled waits too: it must be known what is stored, since no copy may stand there twice.
            await asyncio.wait({storing})
            if storing.cancelled() or storing.exception() is not None:
                for history, copies in self._pending.items():
                    batch.setdefault(history, []).extend(copies)
                self._pending, self._count = batch, count + self._count
                self._added.set()
