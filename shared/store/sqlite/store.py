"""The store in one SQLite file that several processes share.

A killed process loses no committed write; a power cut may lose the last ones, but never corrupts the file.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.store import Store, StoreError
from shared.store.sqlite.changes import PolledChanges
from shared.store.sqlite.conversations import ConversationStore
from shared.store.sqlite.copies import CopyStore
from shared.store.sqlite.credentials import CredentialStore
from shared.store.sqlite.keys import KeyStore
from shared.store.sqlite.notes import NoteStore
from shared.store.sqlite.pruning import PruningStore
from shared.store.sqlite.slots import SlotStore
from shared.store.sqlite.usage import UsageStore
from shared.store.sqlite.visits import VisitStore
from shared.store.sqlite.worker import Worker

BUSY_SECONDS = 5.0  # longest wait for another process's write; each takes milliseconds


@asynccontextmanager
async def open_sqlite(
    path: str | Path, *, busy_timeout: float = BUSY_SECONDS, max_pages: int | None = None
) -> AsyncIterator[Store]:
    """Open the store at *path*, making it (mode 0600) and its directory (0700) where they are missing.

    *busy_timeout* is in seconds; *max_pages* bounds the file's size. Raises `StoreUnavailable`, `StoreCorrupt` and
    `StoreTooNew`.
    """
    if not str(path) or "\0" in str(path):
        raise StoreError("FREEAICHAT_STORE: sqlite:/// names no file; write sqlite:///path")
    store = SqliteStore(Path(path), busy_timeout=busy_timeout, max_pages=max_pages)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


class SqliteStore(
    CredentialStore,
    VisitStore,
    ConversationStore,
    CopyStore,
    PruningStore,
    KeyStore,
    UsageStore,
    SlotStore,
    NoteStore,
):
    """`shared.store.Store` on SQLite; marked methods are one transaction each, in the worker's thread."""

    def __init__(self, path: Path, *, busy_timeout: float, max_pages: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        worker = Worker(path.resolve(), busy_timeout=busy_timeout, max_pages=max_pages, on_change=self._announce_change)
        super().__init__(worker)
        self._changes = PolledChanges(worker.version)

    async def open(self) -> None:
        """Open the file now, so that errors show at once."""
        await self._worker.version()

    async def close(self) -> None:
        """End watching, wait for running calls and close the file."""
        await self._changes.close()
        await self._worker.close()

    def watch(self) -> AsyncGenerator[None, None]:
        return self._changes.watch()

    def _announce_change(self) -> None:
        # From the worker's thread: a change is announced even if the caller no longer waits for its call.
        self._loop.call_soon_threadsafe(self._changes.notify)
