"""What happens to every request: an id, access, and errors in OpenAI's shape."""

import asyncio
import logging
import re
from secrets import token_hex
from time import perf_counter, time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from proxy.access import sessions
from proxy.access.ratelimit import EXPOSED as RATE_EXPOSED
from proxy.access.rules import Access, Caller, WrongKey, origin_refused, sent_keys
from proxy.api.app_keys import CALLER, LIMITS, ORIGIN, RATE_HEADERS, REQUEST_ID, USAGE
from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError, release
from proxy.server.request_log import log_request
from proxy.server.under_way import UNDER_WAY, stopping_error

OPEN_PATHS = frozenset({"/", "/health", "/healthz", "/readyz", "/openapi.json"})  # these say nothing that is secret
SESSION_PATH = "/admin/session"  # tells whether a key is needed, and takes one in the body
ADMIN_PATHS = "/admin/"
OPEN_PREFIX = "/assets/"  # the web page's files
PREFLIGHT_SECONDS = "600"
UPGRADE_REQUIRED = 426
EXPOSED = (
    "x-request-id, retry-after, retry-after-ms, x-should-retry, x-ignored-params, x-dropped-messages, "
    f"x-dropped-images, {RATE_EXPOSED}"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")

log = logging.getLogger(__name__)


def is_open(path: str) -> bool:
    """Whether what stands at *path* is open to all."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)


def request_ids() -> Middleware:
    """Give each request an id (the client's own where it is a plain one), and log one line for it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        sent = request.headers.get("x-request-id", "")
        request[REQUEST_ID] = sent if _REQUEST_ID.fullmatch(sent) else f"req_{token_hex(16)}"
        begun = perf_counter()
        level = logging.DEBUG if is_open(request.path) else logging.INFO
        try:
            response = await handler(request)
        except asyncio.CancelledError:  # the client left
            log_request(request, None, perf_counter() - begun, level=level)
            raise
        log_request(request, response.status, perf_counter() - begun, level=level)
        return response

    return middleware


def bounded() -> Middleware:
    """Count the requests under way, and refuse those that are too many."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        with request.app[UNDER_WAY].request(is_probe=is_open(request.path)):
            return await handler(request)

    return middleware


def errors() -> Middleware:
    """Turn every failure into OpenAI's error object with a fitting status."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except asyncio.CancelledError:
            if not request.app[UNDER_WAY].is_over:
                raise  # the client left
            return error_response(stopping_error())
        except ServiceError as error:
            release(error)
            return error_response(error)
        except web.HTTPException as error:
            found = _from_http(request, error)
            response = error_response(found, headers={} if found.status == UPGRADE_REQUIRED else _allow(error))
            if found.status == UPGRADE_REQUIRED:  # what such a client sends next may be no HTTP
                response.force_close()
            return response
        except Exception:
            log.exception("request %s failed", request[REQUEST_ID])
            return error_response(
                ServiceError(500, "The proxy failed; its log says more.", type="server_error", code="internal_error")
            )

    return middleware


def access(rules: Access) -> Middleware:
    """Enforce *rules*, and answer browsers' preflight requests on every route."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # `request.host` is the request line's own where that holds a whole address, as HTTP demands.
        rules.check_host(request.host if "Host" in request.headers else "")
        rules.check_direct(request.headers)
        origin = request.headers.get("Origin")
        if origin is not None:
            if not rules.allows_origin(origin):
                raise origin_refused()
            request[ORIGIN] = origin
        if request.method == "OPTIONS":
            return _preflight(request)
        try:
            caller = request[CALLER] = await _identify(rules, request)
        except ServiceError as error:
            is_signing_in = request.path == SESSION_PATH and error.status == 401
            slowed = await rules.wrong_keys.told(request.remote) if isinstance(error, WrongKey) else None
            if not is_open(request.path) and not is_signing_in:
                raise slowed or error from None
        else:
            if caller.key is not None:
                request.app[USAGE].saw(caller.id)
        return await handler(request)

    return middleware


async def _identify(rules: Access, request: web.Request) -> Caller:
    """Who asks: by a key, else by the session of the web page. Raises `ServiceError`."""
    token = request.cookies.get(sessions.COOKIE) if "Cookie" in request.headers else None
    if not token or not rules.needs_key or sent_keys(request.headers):
        return rules.identify(request.headers, now=time())
    if (request.method, request.path) == ("POST", SESSION_PATH):  # signing in anew, whatever the old one was
        return rules.identify({}, now=time())
    sessions.check_use(request.method, request.headers, request.host)
    return await rules.holder(token, now=time())


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers that every response has, event streams and errors too (an `on_response_prepare` signal)."""
    if REQUEST_ID in request:
        response.headers["x-request-id"] = request[REQUEST_ID]
    if (caller := request.get(CALLER)) is not None and caller.key is not None:
        limits = request.get(RATE_HEADERS)
        response.headers.update(await request.app[LIMITS].headers(caller) if limits is None else limits)
    if request.path.startswith(ADMIN_PATHS):
        response.headers["Cache-Control"] = "no-store"
    if ORIGIN in request:
        response.headers["Access-Control-Allow-Origin"] = request[ORIGIN]
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers.add("Vary", "Origin")


def _preflight(request: web.Request) -> web.Response:
    asked = request.headers.get("Access-Control-Request-Headers", "authorization, content-type")
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": asked,
            "Access-Control-Max-Age": PREFLIGHT_SECONDS,
        },
    )


def _no_websocket() -> ServiceError:
    """The answer at which clients of OpenAI's Responses API go on with HTTP at once."""
    return ServiceError(
        UPGRADE_REQUIRED,
        "WebSockets are not served here; send the same by HTTP POST.",
        code="upgrade_not_supported",
        headers={"Upgrade": "HTTP/1.1", "Connection": "Upgrade, close"},
    )


def _allow(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


def _from_http(request: web.Request, error: web.HTTPException) -> ServiceError:
    if isinstance(error, web.HTTPNotFound):
        return ServiceError(
            404,
            f"Unknown path: {request.method} {request.path}. The base URL is {request.scheme}://{request.host}/v1",
            code="unknown_url",
        )
    if isinstance(error, web.HTTPMethodNotAllowed):
        if request.headers.get("Upgrade", "").strip().lower() == "websocket":
            return _no_websocket()
        allowed = ", ".join(sorted(error.allowed_methods))
        return ServiceError(405, f"{request.path} takes {allowed}.", code="method_not_allowed")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return ServiceError(
            413, "The request body is too large; FREEAICHAT_MAX_BODY sets the limit.", code="request_too_large"
        )
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return ServiceError(error.status, error.reason, type=kind)
