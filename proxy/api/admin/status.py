"""`/admin/status` and `/admin/visits`: how the sites, the store and the harvester are, and asking for a visit."""

from time import time
from typing import Any

from aiohttp import web

from proxy.api.admin.requests import check_query, read_site, read_visit_id
from proxy.api.admin.service import Administration
from proxy.api.app_keys import ADMINISTRATION, SIBLINGS, UPSTREAMS
from proxy.api.health.handlers import describe
from proxy.api.rendering import json_response
from proxy.chat.upstream import Health
from proxy.server.bodies import read_body
from proxy.usage.numbers import SiteLoad, load_of
from shared import __version__
from shared.models import Credentials, Visit
from shared.store import StoreError, address

_SHOWN = {"id", "started_at", "seconds", "outcome", "reason", "trigger", "screenshot"}
_PICTURE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}


async def status(request: web.Request) -> web.Response:
    """Everything at a glance; also while the store is away, without what only the store knows."""
    check_query(request.query)
    administration = request.app[ADMINISTRATION]
    healths = [upstream.health() for upstream in request.app[UPSTREAMS]]
    visits, heartbeat_age, trouble = await kept(administration, [each.name for each in healths])
    workers = await request.app[SIBLINGS].all()
    loads = [load_of(each.name, workers) for each in healths]
    sites = [_site(each, load, visits.get(each.name, [])) for each, load in zip(healths, loads, strict=True)]
    url = administration.settings.store_url
    return json_response(
        {
            "version": __version__,
            "started_at": int(administration.started_at),
            "ready": any(site["ready"] for site in sites),
            "store": {"url": address.shown(url), "schema": address.schema_known(url), "trouble": trouble},
            "open_streams": sum(load.open for load in loads),
            "queued": sum(load.queued for load in loads),
            "sites": sites,
            "harvester": {"heartbeat_age_seconds": None if heartbeat_age is None else round(heartbeat_age, 1)},
        }
    )


async def ask_visit(request: web.Request) -> web.Response:
    """Ask for a visit soon."""
    check_query(request.query)
    sites = [upstream.name for upstream in request.app[UPSTREAMS]]
    site = await read_body(request, lambda body: read_site(body, sites))
    await request.app[ADMINISTRATION].ask_visit(site)
    return json_response({"object": "visit_ask", "site": site}, status=202)


async def screenshot(request: web.Request) -> web.Response:
    """The picture of a failed visit."""
    check_query(request.query)
    picture = await request.app[ADMINISTRATION].screenshot(read_visit_id(request.match_info["id"]))
    return web.Response(body=picture, content_type="image/png", headers=_PICTURE_HEADERS)


async def kept(
    administration: Administration, sites: list[str]
) -> tuple[dict[str, list[Visit]], float | None, str | None]:
    """The last visits by site, the age of the harvester's last sign of life, and why neither is known if so."""
    try:
        age = await administration.heartbeat_age()
        return {site: await administration.visits(site) for site in sites}, age, None
    except StoreError as error:
        return {}, None, str(error)


def _site(health: Health, load: SiteLoad, visits: list[Visit]) -> dict[str, Any]:
    return {
        **describe(health),
        "breaker": load.breaker,
        "cooldown_until": int(time() + load.cooldown) if load.cooldown else None,
        "open_streams": load.open,
        "queued": load.queued,
        "credentials": _credentials(health.credentials, time()) if health.credentials else None,
        "bots": health.bots,
        "visits": [visit.model_dump(mode="json", include=_SHOWN) for visit in visits],
    }


def _credentials(credentials: Credentials, now: float) -> dict[str, Any]:
    return {
        "age_seconds": round(now - credentials.captured_at, 1),
        "nonce_age_seconds": round(now - credentials.nonce_checked_at, 1),
        "source": credentials.source,
        "generation": credentials.generation,
    }
