"""This proxy's share of a site's slots, where several proxies use one store.

As long as it is alone it holds them all, and no request ever waits for the store. Beside others it holds a few more
than it has streams, asks for further ones when the last is taken, and hands back what it does not need. While the
store is away it goes on with those that it held last. So no more streams are open than may be, but while a proxy is
cut off: `LEASE_SECONDS` later the others take its slots, and it has no way to know.
"""

import asyncio
import logging
import secrets
from contextlib import suppress
from time import time

from proxy.upstreams.slots import Slots
from shared.store import Store, StoreError
from shared.store.slots import Claim, Share

PATIENCE_SECONDS = 2.0  # for the store
ALONE_PAUSE = 1.0  # between two looks at who else is there
SHARED_PAUSE = 0.2
SHORT_PAUSE = 0.1  # where somebody waits
GAP_SECONDS = 0.005  # between two claims, however many requests come and go
BLOCKS = 8  # a proxy holds one of so many parts of all slots in advance

log = logging.getLogger(__name__)


class SharedSlots:
    """Sets the limit of a gate's `Slots` to this proxy's share."""

    def __init__(self, store: Store, site: str, slots: Slots) -> None:
        self._store = store
        self._site = site
        self._slots = slots
        self._holder = secrets.token_hex(8)
        self._spare = max(slots.limit // BLOCKS, 1)
        self._share: Share | None = None  # None: the store is away, or was not asked yet
        self._was_granted = False
        self.store_trouble: str | None = None  # why the store could not keep what was claimed last
        slots.allow(0)

    async def claim(self) -> None:
        """Renew what is held, and ask for more or hand back as there is need."""
        kept = self._slots_to_hold()
        claim = Claim(self._holder, kept, min(self._slots.demand, self._slots.limit), self._spare)
        self._slots.allow(min(self._slots.allowed, kept))  # what may go back now is not taken meanwhile
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                share = await self._store.acquire_slots(self._site, claim, limit=self._slots.limit, at=time())
        except (TimeoutError, StoreError) as error:
            self._store_failed(kept, error)
            return
        self._share, self._was_granted, self.store_trouble = share, True, None
        self._slots.allow(min(share.slots, share.entitled))

    async def keep(self) -> None:
        """Go on claiming; never ends by itself."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._slots.shortage.wait()
            self._slots.shortage.clear()
            await self.claim()
            await asyncio.sleep(GAP_SECONDS)

    async def leave(self) -> None:
        """Hand all slots back."""
        with suppress(TimeoutError, StoreError):  # the lease ends by itself
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._store.release_slots(self._site, self._holder)

    def _slots_to_hold(self) -> int:
        """How many slots to hold whatever the store says."""
        slots, share = self._slots, self._share
        if share is None:
            return slots.allowed
        held = min(share.slots, share.entitled)
        if share.shortage or (share.others and held > slots.demand + 2 * self._spare):
            held = min(held, slots.demand + (0 if share.shortage else self._spare))
        return max(held, slots.taken)

    def _store_failed(self, kept: int, error: Exception) -> None:
        """Go on with what is certainly held: one slot at least, and all where the store never said anything."""
        self.store_trouble = str(error) or "the store is busy"
        if self._share is not None:
            log.warning("slots on %s are not shared out just now: %s", self._site, self.store_trouble)
        self._share = None
        self._slots.allow(kept or (1 if self._was_granted else self._slots.limit))

    def _pause(self) -> float:
        share = self._share
        if share is None or not share.others:
            return ALONE_PAUSE
        return SHORT_PAUSE if share.shortage or self._slots.demand > self._slots.allowed else SHARED_PAUSE
