"""Renewal of a nonce between visits, over plain HTTP, as the same guest."""

import logging
import time

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from shared.models import Credentials
from shared.plugins.renewal import fetch_nonce
from shared.plugins.requests import PluginRequest
from shared.store import StaleWrite, Store

REPLY_SECONDS = 15.0
ATTEMPTS = 3
TOTAL_SECONDS = 45.0

log = logging.getLogger(__name__)


async def renew_nonce(store: Store, credentials: Credentials) -> bool:
    """Fetch the current nonce and store it; returns whether that succeeded. Raises StoreError.

    An older plugin hands out none: then the stored one is confirmed if the site accepts it. Otherwise a visit is asked
    for, since only a browser can find the cause.
    """
    nonce, problem = await _fetch(credentials)
    if nonce is None:
        log.warning("the nonce of %s was not renewed: %s; asking for a visit", credentials.site, problem)
        await store.ask_visit(credentials.site, f"the nonce could not be renewed: {problem}", at=time.time())
        return False
    try:
        saved = await store.save_nonce(credentials.site, nonce, checked_at=time.time(), base=credentials.generation)
    except StaleWrite:  # somebody stored newer ones just now, which are as good
        return True
    log.info("nonce of %s %s", credentials.site, "renewed" if saved.nonce != credentials.nonce else "confirmed")
    return True


async def _fetch(credentials: Credentials) -> tuple[str | None, str]:
    """The nonce, or None and the reason."""
    # Here, since it is large: a service that never gets so far stays smaller.
    from shared.site_client.client import Response, SiteClient
    from shared.site_client.errors import SiteUnreachable

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(SiteUnreachable),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(TOTAL_SECONDS),
        wait=wait_random_exponential(multiplier=0.5, max=5.0),
        reraise=True,
    )

    async def ask(request: PluginRequest) -> tuple[int, bytes]:
        response: Response = await retrying(client.ask, credentials, request, timeout=REPLY_SECONDS)
        return response.status, response.body

    try:
        async with SiteClient() as client:
            nonce, status = await fetch_nonce(credentials, ask)
    except SiteUnreachable as error:
        return None, str(error)
    return nonce, f"the site answered HTTP {status} without one"
