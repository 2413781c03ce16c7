"""`/openapi.json`: what this proxy serves, for programs."""

import asyncio
from functools import cache

import orjson
from aiohttp import web

from proxy.api.app_keys import ACCESS
from shared import __version__


async def openapi(request: web.Request) -> web.Response:
    """The OpenAPI document."""
    body = await asyncio.to_thread(_document, request.app[ACCESS].needs_key)
    return web.Response(body=body, content_type="application/json")


@cache
def _document(needs_key: bool) -> bytes:
    from proxy.api.openapi import document  # a megabyte that most proxies are never asked for

    return orjson.dumps(document(__version__, needs_key=needs_key))
