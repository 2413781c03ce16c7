"""Whole answers as JSON bytes."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from proxy.chat.errors import ServiceError


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """*value* as a JSON response."""
    try:
        body = orjson.dumps(value)
    except TypeError:  # bytes of a request that are no UTF-8, repeated in an error
        body = json.dumps(value).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def error_response(error: ServiceError, headers: Mapping[str, str] | None = None) -> web.Response:
    """*error* in OpenAI's shape, with the headers that clients act on."""
    return json_response(error.body, status=error.status, headers={**error.headers, **(headers or {})})
