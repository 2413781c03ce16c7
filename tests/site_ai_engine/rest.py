"""WordPress' REST API for guests: the nonce, `start_session`, `files/upload`, and the list of routes."""

import asyncio
import hashlib
import json
import re
import secrets
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.site.challenge import challenge
from tests.site.records import forget_oldest, remember
from tests.site_ai_engine import wire
from tests.site_ai_engine.records import SeenRequest

if TYPE_CHECKING:
    from tests.site_ai_engine.server import SimulatedAiEngine

_LOGIN_COOKIE = "wordpress_logged_in_"
_SURROGATE = re.compile("[\ud800-\udfff]")
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"RIFF": "webp"}


class RestCall:
    """One request to the REST API. *nonce_is_good*: None where it brought none."""

    def __init__(self, site: "SimulatedAiEngine", request: web.BaseRequest, route: str, body: bytes) -> None:
        self.site = site
        self.request = request
        self.route = route
        self.body = body
        cookies = request.headers.get("Cookie", "")
        self.user = "user" if _LOGIN_COOKIE in cookies else ""
        self._signs = site.behaviour.is_since("3.6.6")
        self.session_id = self._session_in(_cookie(cookies, "mwai_session_id"))
        self.php_session = _cookie(cookies, "PHPSESSID")
        nonce = request.headers.get("X-WP-Nonce")
        self.nonce_is_good = None if nonce is None else site.nonces.accepts(nonce, self.user)
        self.new_token = ""
        if self.nonce_is_good and nonce != site.nonces.current(self.user):
            self.new_token = site.nonces.current(self.user)

    def headers(self, content_type: str = wire.JSON) -> wire.Headers:
        """The headers before those that tell of the request's origin."""
        found = wire.base_headers(content_type, wire.connection(self.request))
        found += wire.rest_headers(self.site.rest_url)
        if self.nonce_is_good:
            found.append(("X-WP-Nonce", self.site.nonces.current(self.user)))
        if self.nonce_is_good and not self.session_id and self.site.behaviour.is_since("2.8.5"):
            found.append(self.begin_session())
        return found

    def begin_session(self) -> tuple[str, str]:
        """Name the guest; the header that makes his browser keep the name. Since 3.6.6 nobody can make up one."""
        self.session_id = secrets.token_hex(16) if self._signs else secrets.token_hex(7)[:13]
        cookie = f"{self.session_id}.{_signature(self.session_id)}" if self._signs else self.session_id
        return "Set-Cookie", f"mwai_session_id={cookie}; path=/; HttpOnly"

    def _session_in(self, cookie: str) -> str:
        name, _, signature = cookie.partition(".")
        return name if not self._signs or signature == _signature(name) else ""

    def cors(self) -> wire.Headers:
        """What is said of other origins."""
        return wire.cors_headers(self.request.headers.get("Origin"))

    def json(self, value: Any, status: int = 200) -> web.Response:
        """A JSON answer."""
        return self.answer(self.headers() + self.cors(), wire.json_body(value), status)

    def error(self, code: str, message: str, status: int, **data: Any) -> web.Response:
        """An error of WordPress' own."""
        more = wire.uncached() if code == "rest_cookie_invalid_nonce" else []
        value = {"code": code, "message": message, "data": {"status": status, **data}}
        return self.answer(self.headers() + self.cors() + more, wire.json_body(value), status)

    def answer(self, headers: wire.Headers, body: bytes, status: int = 200) -> web.Response:
        """A whole answer."""
        response = web.Response(status=status, headers=headers, body=body)
        response.enable_chunked_encoding()
        return response


async def rest(site: "SimulatedAiEngine", request: web.BaseRequest, route: str) -> web.StreamResponse:
    """Answer a request to *route*, which begins with a slash."""
    body = await request.content.read()  # however large: the limits are switches
    site.route_counts[route] += 1
    remember(site.requests, SeenRequest(request.method, request.path_qs, dict(request.headers), _value(body)))
    if (before := await _intercepted(site, request, body)) is not None:
        return before
    call = RestCall(site, request, route, body)
    if call.nonce_is_good is False:
        return _with_session_cookie(call, call.error("rest_cookie_invalid_nonce", "Cookie check failed", 403))
    if site.behaviour.rest_closed and not call.user:
        return call.error("rest_login_required", "REST API restricted to authenticated users.", 401)
    handler = site.routes.get(route) if request.method == "POST" else None
    if route == "/mwai/v1/start_session" and not site.behaviour.is_since("2.4.4"):
        handler = None
    if handler is None:
        return call.error("rest_no_route", "No route was found matching the URL and request method.", 404)
    if not site.behaviour.locks_php_sessions or not call.php_session:
        return await handler(call)
    async with site.php_sessions[call.php_session]:
        return await handler(call)


async def start_session(call: RestCall) -> web.StreamResponse:
    """Hand a nonce to anybody."""
    site = call.site
    has_cookies = site.behaviour.is_since("2.8.5")
    headers = wire.base_headers(wire.JSON, wire.connection(call.request))
    if has_cookies:
        if not call.php_session:
            headers.append(("Set-Cookie", f"PHPSESSID={secrets.token_hex(13)}; path=/"))
        headers += [
            ("Expires", "Thu, 19 Nov 1981 08:52:00 GMT"),
            ("Cache-Control", "no-store, no-cache, must-revalidate"),
            ("Pragma", "no-cache"),
        ]
    headers += wire.rest_headers(site.rest_url)
    if has_cookies and not call.session_id:
        headers.append(call.begin_session())
    headers.append(("Allow", "POST"))
    nonce = site.nonces.current(call.user)
    value = {"success": True, "sessionId": call.session_id or "N/A", "restNonce": nonce}
    return call.answer(headers + call.cors(), wire.json_body(value))


async def upload(call: RestCall) -> web.StreamResponse:
    """Take a file, which anybody may then get under its address."""
    if call.nonce_is_good is None:
        return call.error("rest_forbidden", "Sorry, you are not allowed to do that.", 401)
    content, purpose = _uploaded(call)
    if len(content) > call.site.behaviour.upload_limit:  # PHP gives the plugin its name, which it then cannot copy
        headers = wire.base_headers("text/html; charset=utf-8", wire.connection(call.request))
        return call.answer(headers, b"<p>There has been a critical error on this website.</p>", 500)
    kind = next((kind for start, kind in _PICTURES.items() if content.startswith(start)), "")
    if not kind or not purpose:
        return call.json({"success": False, "message": "Invalid file type."}, 400)
    name = secrets.token_hex(16)
    call.site.files[name] = content
    forget_oldest(call.site.files)
    url = f"{call.site.url}wp-content/uploads/2026/11/{name}.{kind}"
    return call.json({"success": True, "data": {"id": name, "url": url}})


async def _intercepted(site: "SimulatedAiEngine", request: web.BaseRequest, body: bytes) -> web.StreamResponse | None:
    """The response of a server in front of WordPress, if any."""
    behaviour = site.behaviour
    await asyncio.sleep(behaviour.rest_delay)
    if behaviour.challenge_rest:
        return challenge(request)
    if behaviour.rest_leads_to:
        return web.Response(status=301, headers={"Location": behaviour.rest_leads_to})
    if len(body) > behaviour.body_limit:
        return wire.server_page(request, 413)
    if any(word.encode() in body for word in behaviour.firewall_words):
        return wire.server_page(request, 403)
    if behaviour.rest_status and behaviour.rest_status_times != 0:
        behaviour.rest_status_times -= behaviour.rest_status_times > 0
        return wire.server_page(request, behaviour.rest_status)
    return None


def _with_session_cookie(call: RestCall, response: web.Response) -> web.Response:
    """`start_session` begins a PHP session before the nonce is looked at."""
    if call.route != "/mwai/v1/start_session":
        return response
    headers = list(response.headers.items())
    headers.insert(5, ("Pragma", "no-cache"))
    return call.answer(headers, bytes(response.body or b""), response.status)  # type: ignore[arg-type]


def read_json(body: bytes) -> tuple[Any, tuple[int, str] | None]:
    """The value, or why PHP reads none: its error code and text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None, (5, "Malformed UTF-8 characters, possibly incorrectly encoded")
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return None, (4, "Syntax error")
    if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        return None, (10, "Single unpaired UTF-16 surrogate in unicode escape")
    return value, None


def _value(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _uploaded(call: RestCall) -> tuple[bytes, str]:
    """The content of the file in a form, and the form's purpose."""
    head = f"Content-Type: {call.request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    parts = {}
    for part in message_from_bytes(head + call.body).walk():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            parts[name] = content
    return parts.get("file", b""), parts.get("purpose", b"").decode()


def _signature(session_id: str) -> str:
    return hashlib.sha256(f"mwai_session|{session_id}".encode()).hexdigest()


def _cookie(header: str, name: str) -> str:
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for key, _, value in pairs if key == name), "")
