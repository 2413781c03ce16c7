"""Middleware for every request: id, admission, access control, errors in the shape of its API, and the request log."""

import asyncio
import logging
import re
from random import getrandbits
from time import perf_counter, time

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.access import sessions
from proxy.access.rate_limits import RATE_LIMIT_HEADERS
from proxy.access.rules import AccessRules, WrongKey, sent_keys
from proxy.api.app_keys import ACCESS, CALLER, LIMITS, ORIGIN, RATE_HEADERS, REQUEST_ID, TURN, USAGE
from proxy.api.messages.errors import speaks_anthropic
from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError, drop_tracebacks
from proxy.server.errors import http_error_response, internal_error
from proxy.server.in_flight import IN_FLIGHT, stopping_error

OPEN_PATHS = frozenset({"/", "/health", "/healthz", "/readyz", "/openapi.json"})  # need no key
OPEN_PREFIX = "/assets/"  # the web page's files
SESSION_PATH = "/admin/session"  # tells whether a key is needed, and takes one in the body
ADMIN_PATHS = "/admin/"
PREFLIGHT_SECONDS = "600"
CLIENT_CLOSED_REQUEST = 499  # nginx's word for it
EXPOSED = (
    "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, x-ignored-params, x-dropped-messages, "
    f"x-dropped-images, x-fallback-model, {RATE_LIMIT_HEADERS}"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SECRET = re.compile(r"sk-[^/]+")  # a key used in place of its id

log = logging.getLogger(__name__)
request_log = logging.getLogger("proxy.server.request_log")  # fixed: log collectors select by it


@web.middleware
async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Set the request's id (the client's own where it is well-formed), and log one line for it."""
    sent = request.headers.get("x-request-id")
    request[REQUEST_ID] = sent if sent and _REQUEST_ID.fullmatch(sent) else f"req_{getrandbits(128):032x}"
    started_at = perf_counter()
    is_open = request.path in OPEN_PATHS or request.path.startswith(OPEN_PREFIX)
    status = None  # the client left
    try:
        response = await _handle(request, handler, is_open=is_open)
        status = response.status
        return response
    finally:
        level = logging.DEBUG if is_open else logging.INFO
        if request_log.isEnabledFor(level):
            _log_line(request, status, perf_counter() - started_at, level=level)


async def _handle(request: web.Request, handler: Handler, *, is_open: bool) -> web.StreamResponse:
    """Check access and call the handler; turn every failure into an error response."""
    in_flight, rules = request.app[IN_FLIGHT], request.app[ACCESS]
    try:
        with in_flight.request(is_probe=is_open):
            # `request.host` is the request line's own where that holds a whole address, as HTTP demands.
            rules.check_local(request.host if "Host" in request.headers else "", request.headers)
            origin = request.headers.get("Origin")
            if origin is not None:
                rules.check_origin(origin)
                request[ORIGIN] = origin
            if request.method == "OPTIONS":
                return _preflight(request)
            await _identify(request, rules, is_open=is_open)
            return await handler(request)
    except asyncio.CancelledError:
        if not in_flight.is_over:
            raise  # the client left
        return error_response(stopping_error(), request)
    except ServiceError as error:
        drop_tracebacks(error)
        return error_response(error, request)
    except web.HTTPException as error:
        return http_error_response(request, error)
    except Exception:
        log.exception("request %s failed", request[REQUEST_ID])
        return error_response(internal_error(), request)


async def _identify(request: web.Request, rules: AccessRules, *, is_open: bool) -> None:
    """Set the caller: by a key, else by the web page's session. Raises `ServiceError` where the caller must be
    known."""
    now = time()
    token = request.cookies.get(sessions.COOKIE) if "Cookie" in request.headers else None
    try:
        if not token or not rules.needs_key or sent_keys(request.headers):
            caller = rules.identify(request.headers, now=now)
        elif (request.method, request.path) == ("POST", SESSION_PATH):  # signing in anew, whatever the old one was
            caller = rules.identify({}, now=now)
        else:
            sessions.check_csrf(request.method, request.headers, request.host)
            caller = await rules.holder(token, now=now)
    except ServiceError as error:
        is_signing_in = request.path == SESSION_PATH and error.status == 401
        throttled = await rules.wrong_keys.throttle(request.remote) if isinstance(error, WrongKey) else None
        if not is_open and not is_signing_in:
            raise throttled or error from None
        return
    request[CALLER] = caller
    if caller.key is not None:
        request.app[USAGE].key_used(caller.id)


def _preflight(request: web.Request) -> web.Response:
    """The response to OPTIONS, CORS preflight requests too, on every route; `Allow` names what the path takes."""
    refusal = request.match_info.http_exception
    allowed = refusal.allowed_methods if isinstance(refusal, web.HTTPMethodNotAllowed) else ()
    requested = request.headers.get("Access-Control-Request-Headers", "authorization, content-type")
    return web.Response(
        status=204,
        headers={
            "Allow": ", ".join(sorted((*allowed, "OPTIONS"))),
            "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": requested,
            "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        },
    )


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers of every response, event streams and errors too (an `on_response_prepare` signal)."""
    if REQUEST_ID in request:
        response.headers["x-request-id"] = request[REQUEST_ID]
        if "/m" in request.path and speaks_anthropic(request.path, request.headers):  # messages, models
            response.headers["request-id"] = request[REQUEST_ID]  # where its SDKs look for it
    if (caller := request.get(CALLER)) is not None and (key := caller.limited_key) is not None:
        limits = request.get(RATE_HEADERS)
        response.headers.update(await request.app[LIMITS].headers(key) if limits is None else limits)
    if request.path.startswith(ADMIN_PATHS):
        response.headers["Cache-Control"] = "no-store"
    if ORIGIN in request:
        response.headers["Access-Control-Allow-Origin"] = request[ORIGIN]
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers.add("Vary", "Origin")


def _log_line(request: web.Request, status: int | None, seconds: float, *, level: int) -> None:
    """Log who requested what, and how it ended: never a text or a secret. In JSON logs everything is in named
    fields.

    *status*: None where the client left before the end.
    """
    turn = request.get(TURN)
    has_left = status is None or (turn is not None and turn.has_left)
    if has_left:
        status = CLIENT_CLOSED_REQUEST
    path = _SECRET.sub("sk-…", request.path)
    details: dict[str, object] = {"key": request[CALLER].name} if CALLER in request else {}
    if turn is not None:
        details |= turn.details
    if has_left:
        details["client"] = "left"
    suffix = "".join(f" {name}={value}" for name, value in details.items() if value)
    fields = {
        "request_id": request[REQUEST_ID],
        "method": request.method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000),
        **details,
    }
    request_log.log(
        level,
        "%s %s %d %.0f ms%s %s",
        *(request.method, path, status, seconds * 1000, suffix, request[REQUEST_ID]),
        extra={"fields": fields},
    )
