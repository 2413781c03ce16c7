"""Error responses in place of aiohttp's own, in the shape of the request's API: wrong paths and methods, and bugs."""

from aiohttp import web

from proxy.api.rendering import error_response
from proxy.chat.errors import ServiceError

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
