"""Storing a capture, where another process may have stored something meanwhile."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from shared.models import Capture, Credentials
from shared.store import StaleWrite, Store, StoreUnavailable

T = TypeVar("T")

STORE_SECONDS = 10.0  # how long calls are retried while the store is unavailable
MAX_RENEWALS = 5  # concurrent nonce renewals while one capture is stored

log = logging.getLogger(__name__)


async def save_capture(store: Store, capture: Capture, *, base: Credentials | None) -> Credentials | None:
    """Store *capture*; *base*: what was current when the visit began. Returns what is current now.

    A nonce renewed meanwhile belongs to the older capture, and is replaced with it. A capture that another process
    stored meanwhile is newer: it stays, and ours is dropped. Raises `StoreUnavailable`.
    """
    current = base
    for _ in range(MAX_RENEWALS):
        try:
            return await retry_unavailable(
                partial(store.save_capture, capture, base=current.generation if current else 0)
            )
        except StaleWrite as stale:
            current = stale.current
            if _is_same_capture(current, capture.credentials):  # the store took it, and only its answer was lost
                return current
            if not _is_same_capture(current, base):
                break
    log.warning("newer credentials of %s were stored meanwhile; this visit's are dropped", capture.credentials.site)
    return current


async def retry_unavailable(call: Callable[[], Awaitable[T]]) -> T:
    """Await *call*, with retries for `STORE_SECONDS` while the store is unavailable."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        stop=stop_after_delay(STORE_SECONDS),
        wait=wait_random_exponential(multiplier=0.2, max=2.0),
        reraise=True,
    )

    async def attempt() -> T:  # tenacity awaits only what it can see to be a coroutine function
        return await call()

    result: T = await retrying(attempt)
    return result


def _is_same_capture(current: Credentials | None, base: Credentials | None) -> bool:
    """Whether *current* is *base*, perhaps with a renewed nonce."""
    return current is not None and base is not None and current.captured_at == base.captured_at
