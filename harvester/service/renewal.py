"""Renewing a nonce between visits, over plain HTTP, as the guest whose nonce it is."""

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
from shared.plugins.renewal import renewed
from shared.plugins.requests import PluginRequest
from shared.store import StaleWrite, Store

REPLY_SECONDS = 15.0
ATTEMPTS = 3
TOTAL_SECONDS = 45.0

log = logging.getLogger(__name__)


async def renew_nonce(store: Store, credentials: Credentials) -> bool:
    """Have the site hand out the nonce of now and store it; whether it did. Raises StoreError.

    An older plugin hands out none: there the one we have is good while the site takes it. Where there is none, a visit
    is asked for: only a browser can tell what the matter is.
    """
    nonce, problem = await _fetch(credentials)
    if nonce is None:
        log.warning("the nonce of %s was not renewed: %s; asking for a visit", credentials.site, problem)
        await store.ask_visit(credentials.site, f"the nonce could not be renewed: {problem}", at=time.time())
        return False
    try:
        kept = await store.save_nonce(credentials.site, nonce, checked_at=time.time(), base=credentials.generation)
    except StaleWrite:  # somebody stored newer ones just now, which are as good
        return True
    log.info("nonce of %s %s", credentials.site, "renewed" if kept.nonce != credentials.nonce else "confirmed")
    return True


async def _fetch(credentials: Credentials) -> tuple[str | None, str]:
    """The nonce, or None; and then the reason."""
    # Here, since it is large: a service that never gets so far stays smaller.
    from shared.site_client.client import Reply, SiteClient
    from shared.site_client.errors import SiteUnreachable

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(SiteUnreachable),
        stop=stop_after_attempt(ATTEMPTS) | stop_after_delay(TOTAL_SECONDS),
        wait=wait_random_exponential(multiplier=0.5, max=5.0),
        reraise=True,
    )

    async def ask(request: PluginRequest) -> tuple[int, bytes]:
        reply: Reply = await retrying(client.ask, credentials, request, timeout=REPLY_SECONDS)
        return reply.status, reply.body

    try:
        async with SiteClient() as client:
            nonce, status = await renewed(credentials, ask)
    except SiteUnreachable as error:
        return None, str(error)
    return nonce, f"the site answered HTTP {status} without one"
