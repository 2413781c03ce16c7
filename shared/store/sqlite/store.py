"""The store in one SQLite file that several processes share.

A killed process loses nothing it was told is kept; a power cut may lose the last moments, never the file's order.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

from shared.admin.keys import ApiKey, Counts
from shared.admin.usage import Counters, Group, UsageBatch
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.models import Capture, Credentials, SiteState, Visit, VisitAsk
from shared.store import (
    Store,
    StoreError,
)
from shared.store.changes import PolledChanges
from shared.store.slots import Claim, Share
from shared.store.sqlite import (
    branches as copies,
)
from shared.store.sqlite import (
    conversations,
    credentials,
    file,
    keys,
    notes,
    slots,
    usage,
    visits,
)
from shared.store.sqlite.worker import Worker

BUSY_SECONDS = 10.0  # longest wait for another process's write; each takes milliseconds
POLL_SECONDS = 0.2  # how often the changes of other processes are looked for while somebody watches


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


class SqliteStore:
    """`shared.store.Store` on SQLite: every method is one transaction in the worker's thread."""

    def __init__(self, path: Path, *, busy_timeout: float, max_pages: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._path = path.resolve()
        self._worker = Worker(
            self._path, busy_timeout=busy_timeout, max_pages=max_pages, on_change=self._announce_change
        )
        self._changes = PolledChanges(self._worker.version, seconds=POLL_SECONDS)

    async def open(self) -> None:
        """Open the file now, so that its faults show at once."""
        self._changes.start_from(await self._worker.version())

    async def close(self) -> None:
        """End watching, wait for running calls and close the file."""
        await self._changes.close()
        await self._worker.close()

    def _announce_change(self) -> None:
        # From the worker's thread: a change is announced even if the caller no longer waits for its call.
        self._loop.call_soon_threadsafe(self._changes.notify)

    # Credentials ------------------------------------------------------------------------------

    async def site_state(self, site: str) -> SiteState | None:
        return await self._worker.read(credentials.site_state, site)

    async def save_capture(self, capture: Capture, *, base: int) -> Credentials:
        return await self._worker.write(credentials.save_capture, capture, base)

    async def save_nonce(self, site: str, nonce: str, *, checked_at: float, base: int) -> Credentials:
        return await self._worker.write(credentials.save_nonce, site, nonce, checked_at, base)

    async def mark_good(self, site: str, generation: int) -> None:
        if await self._worker.read(credentials.is_worth_marking, site, generation):
            await self._worker.write(credentials.mark_good, site, generation)

    async def identity(self, site: str) -> str | None:
        return await self._worker.read(credentials.identity, site)

    # Visits -----------------------------------------------------------------------------------

    async def ask_visit(self, site: str, reason: str, *, at: float) -> None:
        await self._worker.write(visits.ask_visit, site, reason, at)

    async def pending_ask(self, site: str) -> VisitAsk | None:
        return await self._worker.read(visits.pending_ask, site)

    async def begin_visit(self, site: str, holder: str, *, at: float, ttl: float) -> bool:
        return await self._worker.write(visits.begin_visit, site, holder, at, ttl)

    async def end_visit(self, visit: Visit, holder: str, *, screenshot: bytes | None = None) -> None:
        await self._worker.write(visits.end_visit, visit, holder, screenshot)

    async def visits(self, site: str | None = None, *, limit: int = 50) -> list[Visit]:
        return await self._worker.read(visits.visits, site, limit)

    async def screenshot(self, visit_id: str) -> bytes | None:
        return await self._worker.read(visits.screenshot, visit_id)

    # Conversations ----------------------------------------------------------------------------

    async def create_conversation(self, conversation: Conversation) -> None:
        await self._worker.write(conversations.create, conversation)

    async def conversation(self, conversation_id: str) -> Conversation | None:
        return await self._worker.read(conversations.conversation, conversation_id)

    async def begin_turn(self, conversation_id: str, turn_id: str, *, at: float) -> bool:
        return await self._worker.write(conversations.begin_turn, conversation_id, turn_id, at)

    async def abandon_turn(self, conversation_id: str, turn_id: str) -> None:
        await self._worker.write(conversations.abandon_turn, conversation_id, turn_id)

    async def commit_turn(self, conversation_id: str, result: TurnResult) -> bool:
        return await self._worker.write(conversations.commit_turn, conversation_id, result)

    async def add_messages(self, conversation_id: str, messages: Sequence[Message], *, at: float) -> bool:
        return await self._worker.write(conversations.add_messages, conversation_id, messages, at)

    async def delete_message(self, conversation_id: str, message_id: str, *, at: float) -> bool:
        return await self._worker.write(conversations.delete_message, conversation_id, message_id, at)

    async def update_metadata(self, conversation_id: str, metadata: dict[str, str], *, at: float) -> bool:
        return await self._worker.write(conversations.update_metadata, conversation_id, metadata, at)

    async def delete_conversation(self, conversation_id: str) -> bool:
        return await self._worker.write(conversations.delete, conversation_id)

    async def prune(self, *, before: float, max_bytes: int, now: float = inf) -> int:
        while await self._worker.count(conversations.redate_some, now):
            pass
        while await self._worker.count(copies.redate_some, now):
            pass
        gone = 0
        while some := await self._worker.write(conversations.prune_some, before, max_bytes):
            gone += some
        while await self._worker.write(copies.prune_some, before):
            pass
        return gone

    # Branches ---------------------------------------------------------------------------------

    async def keep_branches(self, branches: Sequence[tuple[str, Note, float]]) -> None:
        await self._worker.write(copies.keep_branches, branches)

    async def take_branch(self, history: str) -> Note | None:
        return await self._worker.write(copies.take_branch, history)

    # Keys -------------------------------------------------------------------------------------

    async def key_secret(self) -> bytes:
        return await asyncio.to_thread(file.ensure_key_secret, self._path)

    async def add_key(self, key: ApiKey) -> bool:
        return await self._worker.write(keys.add_key, key)

    async def keys(self) -> list[ApiKey]:
        return await self._worker.read(keys.keys)

    async def keys_version(self) -> str:
        return await self._worker.read(keys.keys_version)

    async def revoke_key(self, key_id: str, *, at: float) -> bool:
        return await self._worker.write(keys.revoke_key, key_id, at)

    async def rotate_key(self, key_id: str, *, digest: str, hint: str) -> bool:
        return await self._worker.write(keys.rotate_key, key_id, digest, hint)

    async def take_request(self, key_id: str, *, at: float, rpm: int | None, tpd: int | None, count: int = 1) -> Counts:
        return await self._worker.count(keys.take_request, key_id, at, (rpm, tpd), count)

    async def key_counts(self, key_id: str, *, at: float) -> Counts:
        return await self._worker.read(keys.key_counts, key_id, at)

    # Usage ------------------------------------------------------------------------------------

    async def add_usage(self, batch: UsageBatch) -> None:
        await self._worker.count(usage.add_usage, batch)

    async def usage(self, *, since: float, until: float) -> list[tuple[Group, Counters]]:
        return await self._worker.read(usage.usage, since, until)

    async def prune_usage(self, *, before: float, after: float = inf) -> int:
        return await self._worker.count(usage.prune_usage, before, after)

    # Places -----------------------------------------------------------------------------------

    async def take_places(self, site: str, claim: Claim, *, most: int, at: float) -> Share:
        return await self._worker.count(slots.take_places, site, claim, most, at)

    async def leave_places(self, site: str, holder: str) -> None:
        await self._worker.count(slots.leave_places, site, holder)

    # The rest ---------------------------------------------------------------------------------

    async def get_note(self, key: str) -> str | None:
        return await self._worker.read(notes.get_note, key)

    async def set_note(self, key: str, value: str) -> None:
        await self._worker.write(notes.set_note, key, value)

    def watch(self) -> AsyncGenerator[None, None]:
        return self._changes.watch()
