"""The API keys in memory, so that requests do not wait for the store.

They follow the store: a key that is revoked anywhere stops working here in a moment. While the store is unavailable
they keep working for `STALE_SECONDS`; after that a key may have been revoked unnoticed.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from math import inf
from time import monotonic

from proxy.access import sessions
from shared.admin.keys import ApiKey, digest
from shared.store import Store, StoreError

STALE_SECONDS = 60.0
RELOAD_SECONDS = 5.0  # between reloads without changes
CHANGES_PAUSE = 0.1  # between reloads with many changes
RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class Keyring:
    """The keys as last read. Run `watch` as a task while requests are served."""

    def __init__(self, store: Store, read_master: Callable[[], str | None]) -> None:
        """*read_master*: returns the stored master key, which is used when none is configured but other keys
        exist."""
        self._store = store
        self._read_master = read_master
        self._version: str | None = None  # None: never read
        self._by_digest: dict[str, ApiKey] = {}
        self._by_id: dict[str, ApiKey] = {}
        self._secret = b""
        self._seen_at = -inf
        self._load_lock = asyncio.Lock()  # what was read first must not overwrite what was read later
        self.master: str | None = None
        self.needs_key = True  # keys exist, or the store was never read

    @property
    def is_stale(self) -> bool:
        """Whether the store was unavailable for so long that the keys here may be out of date."""
        return monotonic() - self._seen_at > STALE_SECONDS

    def find(self, secret: str) -> ApiKey | None:
        """The key with this secret, whether it is still valid or not.

        It is looked up by its keyed hash, so that the time of the look-up tells nothing about the keys.
        """
        return self._by_digest.get(digest(self._secret, secret))

    def get(self, key_id: str) -> ApiKey | None:
        """The key with this id, whether it is still valid or not."""
        return self._by_id.get(key_id)

    async def sealing_key(self) -> bytes:
        """The key that seals sessions, the same for all proxies of the store. Raises `StoreError`."""
        if not self._secret:
            self._secret = await self._store.key_secret()
        return sessions.sealing_key(self._secret)

    async def load(self) -> None:
        """Read the keys if they have changed. Raises `StoreError`."""
        async with self._load_lock:
            version = await self._store.keys_version()
            if version != self._version:
                keys = await self._store.keys()
                if keys:
                    self._secret = await self._store.key_secret()
                    self.master = await asyncio.to_thread(self._read_master)
                self._by_digest = {key.digest: key for key in keys}
                self._by_id = {key.id: key for key in keys}
                self.needs_key = bool(keys)
                self._version = version
            self._seen_at = monotonic()

    async def watch(self) -> None:
        """Reload keys when they change, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_changes())
            tasks.create_task(self._reload_regularly())

    async def _follow_changes(self) -> None:
        while True:
            try:
                async with aclosing(self._store.watch()) as changes:
                    async for _ in changes:
                        await self.load()
                        await asyncio.sleep(CHANGES_PAUSE)
            except (StoreError, OSError) as error:
                log.warning("keys not read, going on with those last seen: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _reload_regularly(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            try:
                await self.load()
            except (StoreError, OSError) as error:
                log.debug("keys not read: %s", error)
