"""Error responses for requests that reach no handler, in the shape of their API: wrong paths and methods, malformed
requests, expectations."""

from secrets import token_hex

from aiohttp import HttpVersion11, web

from proxy.api.app_keys import REQUEST_ID
from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
UPGRADE_REQUIRED = 426


def internal_error(status: int = 500) -> ServiceError:
    """The error for a bug in the proxy."""
    return ServiceError(status, "The proxy failed; its log says more.", type="server_error", code="internal_error")


def http_error_response(request: web.Request, error: web.HTTPException) -> web.Response:
    """The response to *request* in place of aiohttp's own *error*."""
    if isinstance(error, web.HTTPNotFound):
        base = f"{request.scheme}://{request.host}/v1"
        message = f"Unknown path: {request.method} {request.path}. The base URL is {base}"
        service_error = ServiceError(404, message, code="unknown_url")
    elif isinstance(error, web.HTTPMethodNotAllowed):
        if request.headers.get("Upgrade", "").strip().lower() == "websocket":
            return _no_websocket()
        message = f"{request.path} takes {', '.join(sorted(error.allowed_methods))}."
        headers = {"Allow": error.headers["Allow"]}
        service_error = ServiceError(405, message, code="method_not_allowed", headers=headers)
    else:
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
        service_error = ServiceError(error.status, error.reason, type=kind)
    return error_response(service_error, request)


def _no_websocket() -> web.Response:
    """The response that makes clients of OpenAI's Responses API use HTTP at once."""
    response = error_response(
        ServiceError(
            UPGRADE_REQUIRED,
            "WebSockets are not served here; send the same by HTTP POST.",
            code="upgrade_not_supported",
            headers={"Upgrade": "HTTP/1.1", "Connection": "Upgrade, close"},
        )
    )
    response.force_close()  # what such a client sends next may be no HTTP
    return response


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


class Connection(web.RequestHandler):
    """A client's connection, with error responses for requests that the server's parser rejects.

    Middleware never sees those, and the server's own response repeats the malformed line, which may hold a key. Here
    they get the usual shape, without anything of the request.
    """

    __slots__ = ()

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
