"""The store in Redis (7 or later) or Valkey, which proxies and harvesters on any machines share.

Writes are as durable as Redis makes them: over its restarts with `appendonly yes`. Nothing here may be evicted:
`maxmemory-policy noeviction`, which is the default.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from shared.store import Store, StoreUnavailable
from shared.store.redis.changes import PublishedChanges
from shared.store.redis.client import RedisClient, Script
from shared.store.redis.conversations import ConversationStore
from shared.store.redis.copies import CopyStore
from shared.store.redis.credentials import CredentialStore
from shared.store.redis.keys import KeyStore
from shared.store.redis.notes import NoteStore
from shared.store.redis.pruning import PruningStore
from shared.store.redis.slots import SlotStore
from shared.store.redis.turns import TurnStore
from shared.store.redis.usage import UsageStore
from shared.store.redis.visits import VisitStore

OPENING_PAUSE = 0.5

_OPEN = Script("changed()", is_idempotent=True)  # who may not publish learns it before anything is written

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_redis(url: str, *, startup_timeout: float = 0.0) -> AsyncIterator[Store]:
    """Open the store in the Redis at *url*: `redis://`, `rediss://` (TLS) or `unix://`.

    *startup_timeout*: seconds to wait for a server that is not available yet.

    Raises `StoreUnavailable`, `StoreCorrupt` and `StoreTooNew`, and StoreError for an URL that makes no sense.
    """
    store = RedisStore(url)
    try:
        await store.open(startup_timeout)
        yield store
    finally:
        await store.close()


class RedisStore(
    CredentialStore,
    VisitStore,
    ConversationStore,
    TurnStore,
    CopyStore,
    PruningStore,
    KeyStore,
    UsageStore,
    SlotStore,
    NoteStore,
):
    """`shared.store.Store` on Redis."""

    def __init__(self, url: str) -> None:
        super().__init__(RedisClient(url))
        self._changes = PublishedChanges(self._server)

    async def open(self, startup_timeout: float) -> None:
        """Connect, check the schema, and mark the store as ours."""
        deadline, logged = monotonic() + startup_timeout, ""
        while True:
            try:
                await self._server.run(_OPEN)
                return
            except StoreUnavailable as error:
                if monotonic() >= deadline:
                    raise
                if str(error) != logged:
                    logged = str(error)
                    _log.warning("waiting up to %.0f s: %s", startup_timeout, logged)
            await asyncio.sleep(OPENING_PAUSE)

    async def close(self) -> None:
        """End watching, wait for running calls and close the connections."""
        await self._changes.close()
        await self._server.close()

    def watch(self) -> AsyncGenerator[None, None]:
        return self._changes.watch()
