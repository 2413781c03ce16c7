"""Dropping what nobody needs any more: old conversations, the oldest where there are too many, and old usage."""

import asyncio
import logging
from time import time

from shared.settings import Settings
from shared.store import Store

INTERVAL_SECONDS = 3600.0
LEAST_NOW = 1_735_689_600.0  # the beginning of 2025: a machine that thinks it is earlier has not learnt the time yet

log = logging.getLogger(__name__)


async def tidy(store: Store, settings: Settings) -> None:
    """Prune now and every hour, oftener where little is to be kept for long, until cancelled. Raises StoreError."""
    interval = min(INTERVAL_SECONDS, settings.retention / 2)
    while True:
        now = time()
        if now >= LEAST_NOW:  # or all that is stored would count as from far ahead, and as very old soon after
            dropped = await store.prune(before=now - settings.retention, now=now, max_bytes=settings.max_stored)
            if dropped:
                log.info("%d conversations dropped (FREEAICHAT_RETENTION, FREEAICHAT_MAX_STORED)", dropped)
            await store.prune_usage(before=now - settings.usage_retention, after=now + settings.usage_retention)
        await asyncio.sleep(interval)
