"""Paths as clients type them: with and without `/v1`, twice `/v1`, doubled and trailing slashes."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.expecting import expect

_PREFIX = "/{prefix:(?:/*v1(?=/))*}"


def add_api(app: web.Application, path: str, handlers: Mapping[str, Handler]) -> None:
    """Serve *path* (such as `/models/{id}`) below `/v1` in every spelling, each method with its handler."""
    segments = path.strip("/").split("/")
    slashes = ["{slash0:/*}", *(f"{{slash{index}:/+}}" for index in range(1, len(segments)))]
    pattern = _PREFIX + "".join(map("".join, zip(slashes, segments, strict=True))) + "{end:/*}"
    resource = app.router.add_resource(pattern)
    for method, handler in handlers.items():
        resource.add_route(method, handler, expect_handler=expect)
        if method == "GET":
            resource.add_route("HEAD", handler, expect_handler=expect)
