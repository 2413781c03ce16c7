"""`/admin`: keys for others and what they used, how everything is, visits, and signing in on the web page."""

from time import time
from typing import Any

from aiohttp import web

from proxy.access import sessions
from proxy.access.rules import OPEN
from proxy.api.admin.requests import check_query, read_new_key, read_sign_in, read_site, read_usage_query, read_visit_id
from proxy.api.app_keys import ADMINISTRATION, CALLER, PEERS, STORE_TROUBLE, UPSTREAMS
from proxy.api.health.handlers import describe
from proxy.api.rendering import json_response
from proxy.chat.errors import LimitExceeded
from proxy.chat.upstream import Health
from proxy.server.bodies import read_body
from proxy.usage.worker_stats import SiteLoad, total_load
from shared import __version__
from shared.admin import wire
from shared.models import Credentials, Visit
from shared.serialization import to_plain
from shared.store import store_url

MAX_BODY = 32 * 1024  # bytes, to sign in; whoever sends them is a stranger
_SHOWN = ("id", "started_at", "seconds", "outcome", "cause", "reason", "trigger", "screenshot")  # of a visit
_PICTURE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}


async def list_keys(request: web.Request) -> web.Response:
    """All keys, newest first, revoked ones too."""
    return json_response(wire.key_list(await request.app[ADMINISTRATION].keys()))


async def create_key(request: web.Request) -> web.Response:
    """Make a key; its secret is told this once."""
    new_key = await read_body(request, read_new_key)
    secret, key = await request.app[ADMINISTRATION].create_key(new_key)
    return json_response({**wire.key_object(key), "key": secret})


async def revoke_key(request: web.Request) -> web.Response:
    """End a key for ever."""
    return json_response(wire.key_object(await request.app[ADMINISTRATION].revoke_key(request.match_info["id"])))


async def rotate_key(request: web.Request) -> web.Response:
    """Give a key a new secret, which is told this once."""
    secret, key = await request.app[ADMINISTRATION].rotate_key(request.match_info["id"])
    return json_response({**wire.key_object(key), "key": secret})


async def usage(request: web.Request) -> web.Response:
    """What was used in a time."""
    query = read_usage_query(request.query, now=time())
    return json_response(wire.usage_list(await request.app[ADMINISTRATION].usage(query)))


async def status(request: web.Request) -> web.Response:
    """Everything at a glance; also while the store is away, without what only the store knows."""
    administration = request.app[ADMINISTRATION]
    healths = [upstream.health() for upstream in request.app[UPSTREAMS]]
    visits, heartbeat, trouble = await administration.visits_and_heartbeat(
        [each.name for each in healths if each.is_visited]
    )
    workers = await request.app[PEERS].all()
    loads = [total_load(each.name, workers) for each in healths]
    sites = [_site(each, load, visits.get(each.name, [])) for each, load in zip(healths, loads, strict=True)]
    url, now = administration.settings.store_url, time()
    return json_response(
        {
            "version": __version__,
            "started_at": int(administration.started_at),
            "ready": any(site["ready"] for site in sites),
            "store": {
                "url": store_url.redacted_url(url),
                "schema": store_url.supported_schema(url),
                "trouble": trouble or request.app[STORE_TROUBLE](),
            },
            "open_streams": sum(load.open for load in loads),
            "queued": sum(load.queued for load in loads),
            "sites": sites,
            "harvester": {
                "running": heartbeat is not None and heartbeat.is_fresh(now),
                "heartbeat_age_seconds": heartbeat and round(heartbeat.age(now), 1),
            },
        }
    )


async def ask_visit(request: web.Request) -> web.Response:
    """Ask for a visit soon."""
    sites = [upstream.name for upstream in request.app[UPSTREAMS] if upstream.health().is_visited]
    site = await read_body(request, lambda body: read_site(body, sites))
    await request.app[ADMINISTRATION].ask_visit(site)
    return json_response({"object": "visit_ask", "site": site}, status=202)


async def screenshot(request: web.Request) -> web.Response:
    """The picture of a failed visit."""
    picture = await request.app[ADMINISTRATION].screenshot(read_visit_id(request.match_info["id"]))
    return web.Response(body=picture, content_type="image/png", headers=_PICTURE_HEADERS)


async def show_session(request: web.Request) -> web.Response:
    """Who is signed in, and whether anybody has to be."""
    check_query(request.query)
    caller = request.get(CALLER)
    return json_response(
        {
            "admin": caller is not None and caller.is_admin,
            "key_name": None if caller is None or caller is OPEN else caller.name,
            "needs_key": request.app[ADMINISTRATION].rules.needs_key,
        }
    )


async def sign_in(request: web.Request) -> web.Response:
    """Give the browser a session; where no key is needed there is none to give."""
    check_query(request.query)
    sessions.check_sign_in(request.headers, request.host)
    administration = request.app[ADMINISTRATION]
    async with administration.sign_in_slot():
        try:
            secret = await read_body(request.clone(client_max_size=MAX_BODY), read_sign_in)
        except LimitExceeded as error:
            if error.code == "request_too_large":  # by this limit, which is not that of other bodies
                error.message = f"Signing in takes no more than {MAX_BODY} bytes."
            raise
    text = await administration.sign_in(secret, request.remote)
    response = web.Response(status=204)
    if text is not None:
        response.set_cookie(
            sessions.COOKIE,
            text,
            max_age=sessions.LIFETIME,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=_is_over_tls(request),
        )
    return response


async def sign_out(request: web.Request) -> web.Response:
    """Take the session away from the browser."""
    check_query(request.query)
    response = web.Response(status=204)
    response.del_cookie(
        sessions.COOKIE, path="/", httponly=True, samesite="Strict", secure=_is_over_tls(request) or None
    )
    return response


def _site(health: Health, load: SiteLoad, visits: list[Visit]) -> dict[str, Any]:
    return {
        **describe(health),
        "breaker": load.breaker,
        "cooldown_until": int(time() + load.cooldown) if load.cooldown else None,
        "open_streams": load.open,
        "queued": load.queued,
        "credentials": _credentials(health.credentials, time()) if health.credentials else None,
        "bots": health.bots,
        "visits": [{name: plain[name] for name in _SHOWN} for plain in to_plain(visits)],
    }


def _credentials(credentials: Credentials, now: float) -> dict[str, Any]:
    return {
        "age_seconds": round(now - credentials.captured_at, 1),
        "nonce_age_seconds": round(now - credentials.nonce_checked_at, 1),
        "source": credentials.source,
        "generation": credentials.generation,
    }


def _is_over_tls(request: web.Request) -> bool:
    """Whether the browser came by TLS, be it to the reverse proxy before us."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0]
    return request.secure or forwarded.strip().lower() == "https"
