"""Pruning the store: expired conversations, the oldest where there are too many, and old usage."""

import asyncio
import logging
from time import time

from shared.settings import Settings
from shared.store import Store

INTERVAL_SECONDS = 3600.0
EARLIEST_NOW = 1_735_689_600.0  # 2025-01-01; an earlier clock has not been set yet

log = logging.getLogger(__name__)


async def keep_pruning(store: Store, settings: Settings) -> None:
    """Prune now and every hour, more often with a short retention, until cancelled. Raises `StoreError`."""
    interval = min(INTERVAL_SECONDS, settings.retention / 2)
    while True:
        now = time()
        if now >= EARLIEST_NOW:  # or all that is stored would count as from far ahead, and as very old soon after
            pruned = await store.prune(before=now - settings.retention, now=now, max_bytes=settings.max_stored)
            if pruned:
                log.info("%d conversations dropped (FREEAICHAT_RETENTION, FREEAICHAT_MAX_STORED)", pruned)
            await store.prune_usage(before=now - settings.usage_retention, after=now + settings.usage_retention)
        await asyncio.sleep(interval)
