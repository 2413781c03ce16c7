"""What a client's connection does before all middleware: it meets `Expect`, and answers what is no valid HTTP."""

from secrets import token_hex

from aiohttp import HttpVersion11, web

from proxy.api.app_keys import REQUEST_ID
from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError
from proxy.server.errors import internal_error

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Send `100 Continue` to a client that expects it; returns a response for any other expectation.

    The server calls this before all middleware, so that headers of the middleware are set here too.
    """
    if request.version < HttpVersion11:  # such clients know no expectations
        return None
    if request.headers["Expect"].lower() == "100-continue":
        if (request.content_length or 0) > request.client_max_size:
            return None  # it is refused as it is
        await request.writer.write(CONTINUE)
        request.writer.output_size = 0  # nothing of the response itself was sent
        return None
    request[REQUEST_ID] = f"req_{token_hex(16)}"
    return error_response(
        ServiceError(417, "The only expectation that is met is 100-continue.", code="expectation_failed"),
        request,
    )


class ClientConnection(web.RequestHandler):
    """A client's connection, with error responses for requests that the server's parser rejects.

    Middleware never sees those, and the server's own response repeats the malformed line, which may hold a key. Here
    they get the usual shape, without anything of the request.
    """

    __slots__ = ()

    async def start(self) -> None:
        """Handle requests one after another. Over a host that is no name (`http://xn--a/`) the server fails and forgets
        the connection, which only then is closed here."""
        try:
            await super().start()
        except UnicodeError:
            self.logger.info("malformed request (its host is no name)")
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the response where no handler could; it closes the connection. Raises `ConnectionError` after a
        start."""
        super().handle_error(request, status, exc, message)  # which writes the log
        if status < 500:
            error = ServiceError(status, "The request is no valid HTTP.", code="malformed_request")
        else:
            error = internal_error(status)
        response = error_response(error)
        response.headers["x-request-id"] = f"req_{token_hex(16)}"
        response.force_close()
        return response
