"""`/healthz`, `/readyz` and the root, for probes and for people."""

from time import time

from aiohttp import web

from proxy.keys import AUTHORISED, KEEPER
from shared import __version__


async def healthz(_: web.Request) -> web.Response:
    """200 while the process runs, whatever the site does."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 only when a request could be answered now; details for those who hold the key."""
    keeper = request.app[KEEPER]
    ages = keeper.ages(time())
    body: dict[str, object] = {"status": "ready" if ages else "unavailable"}
    if not ages:
        body["reason"] = "no credentials were captured yet"
    if request.get(AUTHORISED):
        body["sites"] = {
            site.origin: {"credentials_age_seconds": round(ages[site.origin]) if site.origin in ages else None}
            for site in keeper.sites
        }
    return web.json_response(body, status=200 if ages else 503, headers={} if ages else {"retry-after": "5"})


async def root(_: web.Request) -> web.Response:
    """What this is, for whoever opens the address."""
    return web.json_response({"name": "freeaichat-2api", "version": __version__, "openai_base_url": "/v1"})
