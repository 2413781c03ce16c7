"""The API keys that were made, at hand without a look into the store for each request.

They follow the store: what is revoked anywhere stops working here in a moment. While the store is away they go on
working for `STALE_SECONDS`, and then nobody may know whether one was revoked meanwhile.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable
from contextlib import aclosing
from time import monotonic

from proxy.access import sessions
from shared.admin.keys import ApiKey, digest
from shared.store import Store, StoreError

STALE_SECONDS = 60.0
LOOK_SECONDS = 5.0  # between two looks where nothing seems to happen
NEWS_PAUSE = 0.1  # between two looks where much happens
RETRY_SECONDS = 0.5

log = logging.getLogger(__name__)


class Keyring:
    """The keys as last read. Run `watch` as a task for as long as requests are served."""

    def __init__(self, store: Store, read_master: Callable[[], str | None]) -> None:
        """*read_master*: the administrator's key that is kept for when none is set but others were made."""
        self._store = store
        self._read_master = read_master
        self._version: str | None = None  # None: never read
        self._by_digest: dict[str, ApiKey] = {}
        self._by_id: dict[str, ApiKey] = {}
        self._secret = b""
        self._seen_at = 0.0
        self._loading = asyncio.Lock()  # what was read first must not overwrite what was read later
        self.master: str | None = None
        self.needs_key = True  # whether a key was ever made, or nobody could look yet

    @property
    def is_stale(self) -> bool:
        """Whether the store was away for so long that what is known here no longer counts."""
        return self._version is None or monotonic() - self._seen_at > STALE_SECONDS

    def find(self, own: str) -> ApiKey | None:
        """The key with this secret, whether it still works or not.

        It is looked up by its keyed hash, of which nobody can make a near miss; the comparison takes constant time.
        """
        if not self._by_digest:
            return None
        wanted = digest(self._secret, own)
        key = self._by_digest.get(wanted)
        return key if key is not None and hmac.compare_digest(key.digest, wanted) else None

    def get(self, key_id: str) -> ApiKey | None:
        """The key of this id, whether it still works or not."""
        return self._by_id.get(key_id)

    async def sealing_key(self) -> bytes:
        """What sessions are sealed with, the same for all proxies of the store. Raises StoreError."""
        if not self._secret:
            self._secret = await self._store.key_secret()
        return sessions.sealing_key(self._secret)

    async def load(self) -> None:
        """Read the store if keys changed since. Raises StoreError."""
        async with self._loading:
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
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_news())
            tasks.create_task(self._look_now_and_then())

    async def _follow_news(self) -> None:
        while True:
            try:
                async with aclosing(self._store.watch()) as changes:
                    async for _ in changes:
                        await self.load()
                        await asyncio.sleep(NEWS_PAUSE)
            except (StoreError, OSError) as error:
                log.warning("keys not read, going on with those last seen: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.load()
            except (StoreError, OSError) as error:
                log.debug("keys not read: %s", error)
