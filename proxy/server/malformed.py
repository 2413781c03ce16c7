"""Connections whose requests the server's own parser refuses: bad request lines, bad headers, lines without end.

Such requests never become one that middleware sees, and the server's own answer repeats the line that was wrong, which
may hold a key. Here they are answered in the usual shape, without a word of what they held.
"""

import asyncio
from secrets import token_hex
from typing import Any

from aiohttp import web

from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer where no handler could give one; it ends the connection. Raises ConnectionError after a start."""
        super().handle_error(request, status, exc, message)  # which writes the log
        if status < 500:
            error = ServiceError(status, "The request is no valid HTTP.", code="malformed_request")
        else:
            text = "The proxy failed; its log says more."
            error = ServiceError(status, text, type="server_error", code="internal_error")
        response = error_response(error, headers={"x-request-id": f"req_{token_hex(16)}"})
        response.force_close()
        return response


class Connections:
    """Makes a `Connection` to *server* for each client: a protocol factory. *options*: as `AppRunner` takes them."""

    def __init__(self, server: web.Server, **options: Any) -> None:
        self._server, self._options = server, options

    def __call__(self) -> Connection:
        """The next one."""
        return Connection(self._server, loop=asyncio.get_running_loop(), **self._options)
