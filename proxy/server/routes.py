"""Paths as clients type them: with and without `/v1`, twice `/v1`, doubled and trailing slashes.

What may repeat is taken once and for all (`*+`): the time for a path grows with its length, however it is made.
"""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.server.errors import expect

_PREFIX = "/{prefix:(?:/*+v1(?=/))*+}"
RESPONSE_ID = r"{id:(?!(?:compact|input_tokens)(?!\w))[^\x2f]+}"  # what OpenAI has of these names is not served here


def add_api(app: web.Application, path: str, handlers: Mapping[str, Handler]) -> None:
    """Serve *path* (such as `/models/{id}`) below `/v1` in every spelling, each method with its handler."""
    segments = path.strip("/").split("/")
    slashes = ["{slash0:/*+}", *(f"{{slash{index}:/++}}" for index in range(1, len(segments)))]
    pattern = _PREFIX + "".join(map("".join, zip(slashes, segments, strict=True))) + "{end:/*+}"
    resource = app.router.add_resource(pattern)
    for method, handler in {"HEAD": handlers.get("GET", _there), **handlers}.items():
        resource.add_route(method, handler, expect_handler=expect)


def add_base(app: web.Application, handler: Handler) -> None:
    """Answer whoever asks for the base URL itself, to see whether anybody is there."""
    app.router.add_get("/{slash0:/*}v1{end:/*}", handler, expect_handler=expect)


async def _there(_: web.Request) -> web.Response:
    """For probes of what takes POST alone: it is there."""
    return web.Response()
