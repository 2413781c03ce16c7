"""`/healthz`, `/readyz` and the root, for probes and for people."""

from time import time

from aiohttp import web

from proxy.api.app_keys import BACKGROUND, CALLER, STORE_TROUBLE, UPSTREAMS
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
    others = (request.app[STORE_TROUBLE](), request.app[BACKGROUND].trouble)
    reasons = [reason for reason in (*(each.trouble for each in healths), *others) if reason]
    is_ready = any(each.trouble is None for each in healths)
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
        "ready": health.trouble is None,
        "reason": health.trouble,
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
