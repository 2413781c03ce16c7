"""The store in Redis (7 or later) or Valkey, which proxies and harvesters on any machines share.

What Redis was told is kept as well as Redis keeps it: over its restarts with `appendonly yes`. Nothing here may be
evicted: `maxmemory-policy noeviction`, which is the default.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import inf
from time import monotonic

from shared.admin.keys import ApiKey, Counts
from shared.admin.usage import Counters, Group, UsageBatch
from shared.conversations import Conversation, Message, Note, TurnResult
from shared.models import Capture, Credentials, SiteState, Visit, VisitAsk
from shared.store import (
    Store,
    StoreUnavailable,
)
from shared.store.redis import (
    branches as copies,
)
from shared.store.redis import (
    conversations,
    credentials,
    keys,
    notes,
    slots,
    turns,
    usage,
    visits,
)
from shared.store.redis.changes import PublishedChanges
from shared.store.redis.server import Script, Server
from shared.store.slots import Claim, Share

OPENING_PAUSE = 0.5

_OPEN = Script("return 1", is_repeatable=True)

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_redis(url: str, *, patience: float = 0.0) -> AsyncIterator[Store]:
    """Open the store in the Redis at *url*: `redis://`, `rediss://` (TLS) or `unix://`.

    *patience*: seconds a server that cannot be used yet is waited for. Raises `StoreUnavailable`, `StoreCorrupt` and
    `StoreTooNew`, and StoreError for an URL that makes no sense.
    """
    store = RedisStore(url)
    try:
        await store.open(patience)
        yield store
    finally:
        await store.close()


class RedisStore:
    """`shared.store.Store` on Redis: every method is one script, but for those that say otherwise."""

    def __init__(self, url: str) -> None:
        self._server = Server(url)
        self._changes = PublishedChanges(self._server)

    async def open(self, patience: float) -> None:
        """See that the store can be used, and mark it as ours."""
        deadline, told = monotonic() + patience, ""
        while True:
            try:
                await self._server.run(_OPEN)
                return
            except StoreUnavailable as error:
                if monotonic() >= deadline:
                    raise
                if str(error) != told:
                    told = str(error)
                    _log.warning("waiting up to %.0f s: %s", patience, told)
            await asyncio.sleep(OPENING_PAUSE)

    async def close(self) -> None:
        """End watching, wait for running calls and close the connections."""
        await self._changes.close()
        await self._server.close()

    # Credentials ------------------------------------------------------------------------------

    async def site_state(self, site: str) -> SiteState | None:
        return await credentials.site_state(self._server, site)

    async def save_capture(self, capture: Capture, *, base: int) -> Credentials:
        return await credentials.save_capture(self._server, capture, base)

    async def save_nonce(self, site: str, nonce: str, *, checked_at: float, base: int) -> Credentials:
        """Read, then replaced only if it is what was read."""
        return await credentials.save_nonce(self._server, site, nonce, checked_at, base)

    async def mark_good(self, site: str, generation: int) -> None:
        await credentials.mark_good(self._server, site, generation)

    async def identity(self, site: str) -> str | None:
        return await credentials.identity(self._server, site)

    # Visits -----------------------------------------------------------------------------------

    async def ask_visit(self, site: str, reason: str, *, at: float) -> None:
        await visits.ask_visit(self._server, site, reason, at)

    async def pending_ask(self, site: str) -> VisitAsk | None:
        return await visits.pending_ask(self._server, site)

    async def begin_visit(self, site: str, holder: str, *, at: float, ttl: float) -> bool:
        return await visits.begin_visit(self._server, site, holder, ttl)

    async def end_visit(self, visit: Visit, holder: str, *, screenshot: bytes | None = None) -> None:
        await visits.end_visit(self._server, visit, holder, screenshot)

    async def visits(self, site: str | None = None, *, limit: int = 50) -> list[Visit]:
        return await visits.visits(self._server, site, limit)

    async def screenshot(self, visit_id: str) -> bytes | None:
        return await visits.screenshot(self._server, visit_id)

    # Conversations ----------------------------------------------------------------------------

    async def create_conversation(self, conversation: Conversation) -> None:
        await conversations.create(self._server, conversation)

    async def conversation(self, conversation_id: str) -> Conversation | None:
        return await conversations.conversation(self._server, conversation_id)

    async def begin_turn(self, conversation_id: str, turn_id: str, *, at: float) -> bool:
        return await turns.begin_turn(self._server, conversation_id, turn_id, at)

    async def abandon_turn(self, conversation_id: str, turn_id: str) -> None:
        await turns.abandon_turn(self._server, conversation_id, turn_id)

    async def commit_turn(self, conversation_id: str, result: TurnResult) -> bool:
        return await turns.commit_turn(self._server, conversation_id, result)

    async def add_messages(self, conversation_id: str, messages: Sequence[Message], *, at: float) -> bool:
        return await turns.add_messages(self._server, conversation_id, messages, at)

    async def delete_message(self, conversation_id: str, message_id: str, *, at: float) -> bool:
        return await turns.delete_message(self._server, conversation_id, message_id, at)

    async def update_metadata(self, conversation_id: str, metadata: dict[str, str], *, at: float) -> bool:
        return await conversations.update_metadata(self._server, conversation_id, metadata, at)

    async def delete_conversation(self, conversation_id: str) -> bool:
        return await conversations.delete(self._server, conversation_id)

    async def prune(self, *, before: float, max_bytes: int, now: float = inf) -> int:
        """In many scripts, so that none keeps Redis busy for long."""
        for dated in ("conversations", "branches"):
            while await conversations.redate_some(self._server, dated, now):
                pass
        gone = 0
        while some := await conversations.prune_some(self._server, before, max_bytes):
            gone += some
        while await copies.prune_some(self._server, before):
            pass
        return gone

    # Branches ---------------------------------------------------------------------------------

    async def keep_branches(self, branches: Sequence[tuple[str, Note, float]]) -> None:
        await copies.keep_branches(self._server, branches)

    async def take_branch(self, history: str) -> Note | None:
        return await copies.take_branch(self._server, history)

    # Keys -------------------------------------------------------------------------------------

    async def key_secret(self) -> bytes:
        return await keys.key_secret(self._server)

    async def add_key(self, key: ApiKey) -> bool:
        return await keys.add_key(self._server, key)

    async def keys(self) -> list[ApiKey]:
        return await keys.keys(self._server)

    async def keys_version(self) -> str:
        return await keys.keys_version(self._server)

    async def revoke_key(self, key_id: str, *, at: float) -> bool:
        return await keys.revoke_key(self._server, key_id, at)

    async def rotate_key(self, key_id: str, *, digest: str, hint: str) -> bool:
        return await keys.rotate_key(self._server, key_id, digest, hint)

    async def take_request(self, key_id: str, *, at: float, rpm: int | None, tpd: int | None, count: int = 1) -> Counts:
        return await keys.take_request(self._server, key_id, at, (rpm, tpd), count)

    async def key_counts(self, key_id: str, *, at: float) -> Counts:
        return await keys.key_counts(self._server, key_id, at)

    # Usage ------------------------------------------------------------------------------------

    async def add_usage(self, batch: UsageBatch) -> None:
        await usage.add_usage(self._server, batch)

    async def usage(self, *, since: float, until: float) -> list[tuple[Group, Counters]]:
        return await usage.usage(self._server, since, until)

    async def prune_usage(self, *, before: float, after: float = inf) -> int:
        """In many scripts, so that none keeps Redis busy for long."""
        gone = 0
        while some := await usage.prune_some(self._server, before, after):
            gone += some
        return gone

    # Places -----------------------------------------------------------------------------------

    async def take_places(self, site: str, claim: Claim, *, most: int, at: float) -> Share:
        return await slots.take_places(self._server, site, claim, most)

    async def leave_places(self, site: str, holder: str) -> None:
        await slots.leave_places(self._server, site, holder)

    # The rest ---------------------------------------------------------------------------------

    async def get_note(self, key: str) -> str | None:
        return await notes.get_note(self._server, key)

    async def set_note(self, key: str, value: str) -> None:
        await notes.set_note(self._server, key, value)

    def watch(self) -> AsyncGenerator[None, None]:
        return self._changes.watch()
