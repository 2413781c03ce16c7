"""`/healthz`, `/readyz`, `/metrics`, `/openapi.json` and the root: for probes, programs and people."""

import asyncio
from functools import cache
from importlib import import_module
from time import time

import orjson
from aiohttp import web

from proxy.access.rules import check_admin
from proxy.api.app_keys import ACCESS, ADMINISTRATION, BACKGROUND, CALLER, PEERS, STORE_TROUBLE, UPSTREAMS
from proxy.api.rendering import json_response
from proxy.chat.upstream import Health
from shared import __version__


async def healthz(_: web.Request) -> web.Response:
    """200 while the process runs, whatever the site does."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """200 only when a request could be answered now; names and reasons only for those who hold the key.

    `degraded`: requests are answered, but not by every site, without stored conversations, or nobody tidies the store.
    """
    healths = [upstream.health() for upstream in request.app[UPSTREAMS]]
    others = (request.app[STORE_TROUBLE](), request.app[BACKGROUND].problem)
    reasons = [*(each.problem.text for each in healths if each.problem), *(reason for reason in others if reason)]
    is_ready = any(each.problem is None for each in healths)
    body: dict[str, object] = {"status": ("degraded" if reasons else "ready") if is_ready else "unavailable"}
    if reasons and (CALLER in request or not is_ready):
        body["reason"] = reasons[0] if CALLER in request else "no site can answer now"
    if CALLER in request:
        body["sites"] = [{**describe(each), "credentials_age_seconds": _age(each)} for each in healths]
    return json_response(body, status=200 if is_ready else 503, headers={} if is_ready else {"retry-after": "5"})


def describe(health: Health) -> dict[str, object]:
    """What is known of an upstream's health and load."""
    return {
        "site": health.name,
        "kind": health.kind,
        "ready": health.problem is None,
        "reason": health.problem and health.problem.text,
        "code": health.problem and health.problem.code,
        "breaker": health.breaker,
        "cooldown_until": health.cooldown_until,
        "open_streams": health.open_streams,
        "queued": health.queued,
    }


def _age(health: Health) -> int | None:
    return max(round(time() - health.credentials.captured_at), 0) if health.credentials else None


async def root(_: web.Request) -> web.Response:
    """What this is, for whoever opens the address."""
    return json_response({"name": "freeaichat-2api", "version": __version__, "openai_base_url": "/v1"})


async def metrics(request: web.Request) -> web.Response:
    """All numbers of the workers that share the port, and those of the store that say how the visits go."""
    check_admin(request[CALLER])
    # The library is heavy: most proxies are never asked, and the event loop is not to wait for it.
    await asyncio.to_thread(import_module, "proxy.usage.metrics")
    from proxy.usage.metrics import CONTENT_TYPE, MetricsSnapshot, SiteStats, text

    healths = [upstream.health() for upstream in request.app[UPSTREAMS]]
    visited = [each for each in healths if each.is_visited]
    visits, heartbeat, trouble = await request.app[ADMINISTRATION].visits_and_heartbeat(each.name for each in visited)
    now = time()
    numbers = MetricsSnapshot(
        version=__version__,
        workers=await request.app[PEERS].all(),
        sites=[
            SiteStats(
                site=each.name,
                credentials_age=now - each.credentials.captured_at if each.credentials else None,
                nonce_age=now - each.credentials.nonce_checked_at if each.credentials else None,
                visits=visits.get(each.name, ()),
            )
            for each in visited
        ],
        store_up=(trouble or request.app[STORE_TROUBLE]()) is None,
        heartbeat_age=heartbeat.age(now) if heartbeat else None,
        kinds={each.name: each.kind for each in healths},
    )
    return web.Response(body=text(numbers), headers={"Content-Type": CONTENT_TYPE})


async def openapi(request: web.Request) -> web.Response:
    """The OpenAPI document."""
    body = await asyncio.to_thread(_document, request.app[ACCESS].needs_key)
    return web.Response(body=body, content_type="application/json")


@cache
def _document(needs_key: bool) -> bytes:
    from proxy.api.openapi.document import document  # a megabyte that most proxies are never asked for

    return orjson.dumps(document(__version__, needs_key=needs_key))
