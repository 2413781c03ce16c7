"""Whole answers as JSON bytes."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from proxy.api.app_keys import REQUEST_ID
from proxy.api.messages.errors import error_body, speaks_anthropic, status_of
from proxy.chat.errors import ServiceError


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*value* as a JSON response."""
    try:
        body = orjson.dumps(value)
    except TypeError:  # bytes of a request that are no UTF-8, repeated in an error
        body = json.dumps(value).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def error_response(error: ServiceError, request: web.Request | None = None) -> web.Response:
    """*error* in the shape of the API that *request* is of, as a rule OpenAI's, with the headers clients act on."""
    if request is not None and speaks_anthropic(request.path, request.headers):
        return json_response(error_body(error, request[REQUEST_ID]), status=status_of(error), headers=error.headers)
    return json_response(error.body, status=error.status, headers=error.headers)
