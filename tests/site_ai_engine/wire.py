"""Bytes in the site's own style: the headers of WordPress' REST API in their order, events, error pages."""

from email.utils import formatdate
from typing import Any

from aiohttp import web

from tests.site.wire import php_json

JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream;charset=UTF-8"
_LEGACY = {"Expires": "Wed, 11 Jan 1984 05:00:00 GMT", "Cache-Control": "no-cache, must-revalidate, max-age=0"}
_PADDING = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n" * 6
_REASONS = {403: "Forbidden", 413: "Request Entity Too Large", 502: "Bad Gateway", 504: "Gateway Time-out"}

Headers = list[tuple[str, str]]


def base_headers(content_type: str, connection: str) -> Headers:
    """What every answer of the web server begins with."""
    return [
        ("Server", "nginx/1.22.1"),
        ("Date", formatdate(usegmt=True)),
        ("Content-Type", content_type),
        ("Transfer-Encoding", "chunked"),
        ("Connection", connection),
    ]


def rest_headers(root: str) -> Headers:
    """What every answer of WordPress' REST API has."""
    return [
        ("X-Robots-Tag", "noindex"),
        ("Link", f'<{root}/>; rel="https://api.w.org/"'),
        ("X-Content-Type-Options", "nosniff"),
        ("Access-Control-Expose-Headers", "X-WP-Total, X-WP-TotalPages, Link"),
        (
            "Access-Control-Allow-Headers",
            "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type",
        ),
    ]


def cors_headers(origin: str | None) -> Headers:
    """What it says to a request that names its origin: any may ask."""
    if origin is None:
        return []
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", "OPTIONS, GET, POST, PUT, PATCH, DELETE"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    ]


def uncached() -> Headers:
    """What it adds to a refused nonce."""
    return list(_LEGACY.items())


def event(kind: str, data: str, more: dict[str, Any] | None = None) -> bytes:
    """One event's line, without the blank one after it."""
    return f"data: {php_json({'type': kind, 'data': data, **(more or {})}, ascii_only=True)}".encode()


def json_body(value: Any) -> bytes:
    """JSON as PHP writes it."""
    return php_json(value, ascii_only=True).encode()


def server_page(request: web.BaseRequest, status: int) -> web.Response:
    """The web server's own error page."""
    title = f"{status} {_REASONS.get(status, 'Error')}"
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n{_PADDING}"
    )
    headers = [
        (name, value) for name, value in base_headers("text/html", connection(request)) if "Encoding" not in name
    ]
    headers.insert(3, ("Content-Length", str(len(body))))
    if status in {429, 503}:
        headers.append(("Retry-After", "7"))
    return web.Response(status=status, reason=_REASONS.get(status), headers=headers, body=body.encode())


def connection(request: web.BaseRequest) -> str:
    """Whether the connection is kept."""
    return "keep-alive" if request.keep_alive else "close"
