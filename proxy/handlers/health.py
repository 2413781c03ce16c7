"""`/healthz`, `/readyz` and the root, for probes and for people."""

from time import time

from aiohttp import web

from proxy.credentials import CredentialKeeper
from proxy.keys import AUTHORISED, KEEPER
from proxy.rendering import json_response
from shared import __version__


async def healthz(_: web.Request) -> web.Response:
    """200 while the process runs, whatever the site does."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 only when a request could be answered now; details for those who hold the key."""
    keeper = request.app[KEEPER]
    troubles = {site.origin: keeper.trouble(site.origin) for site in keeper.sites}
    is_ready = None in troubles.values()
    body: dict[str, object] = {"status": "ready" if is_ready else "unavailable"}
    if not is_ready:
        body["reason"] = next(iter(troubles.values()))
    if request.get(AUTHORISED):
        body["sites"] = [_describe(keeper, origin, trouble) for origin, trouble in troubles.items()]
    return json_response(body, status=200 if is_ready else 503, headers={} if is_ready else {"retry-after": "5"})


def _describe(keeper: CredentialKeeper, origin: str, trouble: str | None) -> dict[str, object]:
    state = keeper.state(origin)
    age = round(time() - state.current.captured_at) if state else None
    return {"site": origin, "ready": trouble is None, "reason": trouble, "credentials_age_seconds": age}


async def root(_: web.Request) -> web.Response:
    """What this is, for whoever opens the address."""
    return json_response({"name": "freeaichat-2api", "version": __version__, "openai_base_url": "/v1"})
