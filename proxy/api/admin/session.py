"""`/admin/session`: signing in on the web page, with a key, for a while."""

from aiohttp import web

from proxy.access import sessions
from proxy.access.rules import OPEN
from proxy.api.admin.requests import check_query, read_sign_in
from proxy.api.app_keys import ADMINISTRATION, CALLER
from proxy.api.rendering import json_response
from proxy.chat.errors import ServiceError
from proxy.server.bodies import read_body

MAX_BODY = 32 * 1024  # bytes; whoever sends them is a stranger


async def show(request: web.Request) -> web.Response:
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
    async with administration.door():
        try:
            own = await read_body(request.clone(client_max_size=MAX_BODY), read_sign_in)
        except web.HTTPRequestEntityTooLarge:
            message = f"Signing in takes no more than {MAX_BODY} bytes."
            raise ServiceError(413, message, code="request_too_large") from None
    text = await administration.sign_in(own, request.remote)
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


def _is_over_tls(request: web.Request) -> bool:
    """Whether the browser came by TLS, be it to the reverse proxy before us."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0]
    return request.secure or forwarded.strip().lower() == "https"
