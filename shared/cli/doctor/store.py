"""Checks of the store, and of the credentials in it."""

from shared.cli import text
from shared.cli.doctor.check import Check, fail, ok, warn
from shared.models import Credentials, SiteState
from shared.plugins.renewal import fetch_nonce
from shared.plugins.requests import PluginRequest
from shared.settings import Settings
from shared.site_client.client import SiteClient
from shared.site_client.errors import SiteUnreachable
from shared.store import StoreError, is_redis, open_store, store_url

NONCE_SECONDS = 15.0


async def check_store(settings: Settings) -> tuple[Check, dict[str, SiteState]]:
    """Whether the store opens, and what is in it of each site."""
    found = {}
    try:
        async with open_store(settings.store_url) as store:
            for site in settings.sites:
                if state := await store.site_state(site.origin):
                    found[site.origin] = state
    except StoreError as error:
        other = "start the Redis server" if is_redis(settings.store_url) else "move the file away to begin anew"
        return fail("store", str(error), f"mend what it says, {other}, or set FREEAICHAT_STORE"), {}
    url = settings.store_url
    return ok("store", f"{store_url.redacted_url(url)} opens, schema {store_url.supported_schema(url)}"), found


async def check_redis(settings: Settings) -> list[Check]:
    """Whether a Redis store is configured to keep data; nothing for other stores, or unavailable ones."""
    if not is_redis(settings.store_url):
        return []
    from shared.store.redis.config_check import check_redis_config  # which imports the Redis client

    try:
        found = await check_redis_config(settings.store_url)
    except StoreError:
        return []  # `check_store` reports it
    return [warn("redis", what, advice) for what, advice in found]


async def check_credentials(client: SiteClient, site: str, found: Credentials | None, now: float) -> Check:
    """Whether the credentials *found* still work: the site hands out a nonce to this guest."""
    name, harvest = "credentials", f"freeaichat harvest --site {site}"
    if found is None:
        return warn(name, f"none yet for {site}", f"`freeaichat up` or `{harvest}` captures them")
    what = f"{site}: captured {text.ago(found.captured_at, now)}, session {text.session(found.session_id)}"

    async def ask(request: PluginRequest) -> tuple[int, bytes]:
        response = await client.ask(found, request, timeout=NONCE_SECONDS)
        return response.status, response.body

    try:
        nonce, status = await fetch_nonce(found, ask)
    except SiteUnreachable as error:
        return fail(name, f"{what}; the nonce action fails: {error}", "see the site's own line")
    if nonce is None:
        advice = f"`{harvest}` shows what a visit meets"
        return fail(name, f"{what}; the site hands out no nonce (HTTP {status})", advice)
    fresh = "the nonce is current" if nonce == found.nonce else "a newer nonce is handed out and will be taken when due"
    return ok(name, f"{what}; {fresh}")
