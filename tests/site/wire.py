"""Bytes in the site's own style: headers, PHP's JSON and the framing of events (PROTOCOL 4 and 5)."""

import json
from email.utils import formatdate
from typing import Any

from aiohttp import web

PADDING = b":" + b" " * 4096 + b"\n\n"
_SERVER = {"Server": "nginx/1.22.1"}
_CHUNKED = {"Transfer-Encoding": "chunked"}
_AJAX_FIRST = {"X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff"}
_EXPIRES = {"Expires": "Wed, 11 Jan 1984 05:00:00 GMT"}
_NO_CACHE = {"Cache-Control": "no-cache, must-revalidate, max-age=0"}
_FRAMES = {"Referrer-Policy": "strict-origin-when-cross-origin", "X-Frame-Options": "SAMEORIGIN"}
_STREAM_LAST = {
    "Cache-Control": "no-cache, no-store, must-revalidate, max-age=0, no-transform",
    "Pragma": "no-cache",
}
_REASONS = {413: "Request Entity Too Large"}


def php_json(value: Any, *, ascii_only: bool = False) -> str:
    r"""JSON as PHP writes it: slashes escaped; non-ASCII raw or, for admin-ajax answers, as \uXXXX."""
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))
    return text.replace("/", "\\/").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def event(name: str | None, data: Any, *, event_id: str | None = None) -> bytes:
    """One event in the recorded field order: event, id, data."""
    lines = [f"event: {name}"] if name else []
    if event_id:
        lines.append(f"id: {event_id}")
    lines.append(f"data: {php_json(data)}")
    return ("\n".join(lines) + "\n\n").encode()


def delta(text: str) -> bytes:
    """One piece of the answer."""
    return event(None, {"delta": text})


def stream_response(request: web.BaseRequest) -> web.StreamResponse:
    """An event stream's response, not yet prepared."""
    headers = _headers(request, "text/event-stream; charset=utf-8")
    return web.StreamResponse(headers=headers | _AJAX_FIRST | _EXPIRES | _FRAMES | _STREAM_LAST)


def ajax_json(request: web.BaseRequest, payload: Any, status: int = 200) -> web.Response:
    """An admin-ajax JSON answer."""
    body = php_json(payload, ascii_only=True).encode()
    headers = _headers(request, "application/json; charset=UTF-8")
    return _response(status, headers | _AJAX_FIRST | _EXPIRES | _NO_CACHE | _FRAMES, body)


def nonce_json(request: web.BaseRequest, nonce: str) -> web.Response:
    """The nonce action's answer; its headers come in another order."""
    body = php_json({"success": True, "data": {"nonce": nonce}}).encode()
    headers = _headers(request, "application/json; charset=UTF-8")
    return _response(200, headers | _AJAX_FIRST | _FRAMES | _EXPIRES | _NO_CACHE, body)


def ajax_zero(request: web.BaseRequest, action: str) -> web.Response:
    """WordPress' answer where no action runs: 400 and `0`. Without any action it comes with fewer headers."""
    headers = _headers(request, "text/html; charset=UTF-8")
    more = _AJAX_FIRST | _FRAMES if action else {"X-Robots-Tag": "noindex"}
    return _response(400, headers | more | _EXPIRES | _NO_CACHE, b"0")


def html(request: web.BaseRequest, text: str, status: int = 200, more: dict[str, str] | None = None) -> web.Response:
    """A page."""
    return _response(status, _headers(request, "text/html; charset=UTF-8") | (more or {}), text.encode())


def nginx_error(request: web.BaseRequest, status: int, reason: str) -> web.Response:
    """The web server's own error page."""
    title = f"<head><title>{status} {reason}</title></head>"
    body = f"<html>\r\n{title}\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n</body>\r\n</html>\r\n"
    return html(request, body, status)


def _headers(request: web.BaseRequest, content_type: str) -> dict[str, str]:
    connection = {"Connection": "keep-alive" if request.keep_alive else "close"}
    return _SERVER | {"Date": formatdate(usegmt=True)} | {"Content-Type": content_type} | _CHUNKED | connection


def _response(status: int, headers: dict[str, str], body: bytes) -> web.Response:
    response = web.Response(status=status, reason=_REASONS.get(status), headers=headers, body=body)
    response.enable_chunked_encoding()
    return response
