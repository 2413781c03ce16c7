"""The copies that upstreams hold of conversations without an id, which their clients send whole each time."""

import asyncio
import logging
from collections import OrderedDict
from contextlib import suppress
from time import time

from shared.conversations import Note
from shared.store import Store, StoreError

FLUSH_SECONDS = 0.1  # until then other workers cannot continue a copy
LOOK_UP_SECONDS = 0.5  # longest wait for the store; otherwise the whole text is sent
MAX_PENDING = 10_000  # above it, while the store is away, the oldest are forgotten
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class UpstreamCopies:
    """The notes of upstreams on such copies, by history digest: kept in memory first, stored in batches.

    A turn never waits for the disk: what cannot be looked up within `LOOK_UP_SECONDS` is sent as a whole. Run
    `keep_flushing` as a task while requests are served, and `flush` at the end.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: OrderedDict[str, list[tuple[Note, float]]] = OrderedDict()
        self._pending_count = 0
        self._storing: asyncio.Task[None] | None = None  # the batch that is being written
        self._added = asyncio.Event()

    def add(self, history: str, note: Note) -> None:
        """Add the *note* on a copy that holds exactly the history with this digest."""
        self._pending.setdefault(history, []).append((note, time()))
        self._pending_count += 1
        self._added.set()
        if self._pending_count > MAX_PENDING:
            _, dropped = self._pending.popitem(last=False)
            self._pending_count -= len(dropped)

    async def take(self, history: str) -> Note | None:
        """Remove and return the note on the newest copy of this history, so that two turns never share one."""
        pending = self._pending.get(history)
        if pending:
            note, _ = pending.pop()
            self._pending_count -= 1
            if not pending:
                del self._pending[history]
            return note
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(LOOK_UP_SECONDS):
                if self._storing is not None:  # agents go on at once: it may be in that batch
                    await asyncio.wait({self._storing})
                return await self._store.take_copy(history)
        return None

    async def keep_flushing(self) -> None:
        """Store new copies in batches, until cancelled."""
        while True:
            await self._added.wait()
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except StoreError as error:
                log.warning("%d continued conversations not stored yet: %s", self._pending_count, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Store all new copies. Raises `StoreError`; then they are kept."""
        batch, self._pending = self._pending, OrderedDict()
        count, self._pending_count = self._pending_count, 0
        self._added.clear()
        if not batch:
            return
        rows = [(history, note, at) for history, notes in batch.items() for note, at in notes]
        task = self._storing = asyncio.create_task(self._store.add_copies(rows))
        try:
            await asyncio.shield(task)
        finally:
            # Whoever is cancelled waits too: it must be known what is stored, since no copy may stand there twice.
            await asyncio.wait({task})
            self._storing = None
            if task.cancelled() or task.exception() is not None:
                for history, notes in self._pending.items():
                    batch.setdefault(history, []).extend(notes)
                self._pending, self._pending_count = batch, count + self._pending_count
                self._added.set()
