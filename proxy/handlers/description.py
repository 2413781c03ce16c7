"""`/openapi.json`: what this proxy serves, for programs."""

from aiohttp import web

from proxy.keys import DESCRIPTION


async def openapi(request: web.Request) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=request.app[DESCRIPTION], content_type="application/json")
