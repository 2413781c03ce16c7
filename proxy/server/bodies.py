"""Reading request bodies and pictures without holding up everybody else."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.offload import aside
from proxy.server.body_budget import BODIES
from proxy.server.content_encoding import BodyTooLarge, decode, read_codings

BODY_SECONDS = 120.0  # for a whole body: the largest one over a line of 2 Mbit/s

T = TypeVar("T")


async def read_body(request: web.Request, parse: Callable[[bytes], T]) -> T:
    """What *parse*, a pure function, makes of the request's body, which is JSON.

    Raises what it raises, and `ServiceError`: 408 for a body that does not come in time, 413 for one that is or unpacks
    too large, 415 for one that is compressed in an unknown way, 400 for one that is broken or no JSON, 503 where all
    bodies together are too much.
    """
    body = await _read(request)
    if body and not _may_be_json(request.content_type):
        raise bad_request(
            f"The body must be JSON, and its Content-Type application/json instead of {request.content_type}.",
            code="invalid_content_type",
        )
    return await work_on(body, parse)


def _may_be_json(content_type: str) -> bool:
    """Whether a body of this type is read; `application/octet-stream` is what nothing, or nothing in particular, is."""
    return content_type == "application/octet-stream" or content_type.endswith(("/json", "+json"))


async def work_on(content: bytes, work: Callable[[bytes], T]) -> T:
    """The result of the pure function *work*, which takes long for long *content*. Raises what it raises."""
    return await aside(len(content), lambda: work(content))


async def _read(request: web.Request) -> bytes:
    """The body, unpacked: always in a thread, since what is small may stand for much."""
    codings = read_codings(request.headers.get("Content-Encoding", ""))
    body = await _received(request)
    if not codings or not body:
        return body
    limit = request.client_max_size
    try:
        unpacked = await asyncio.to_thread(decode, body, codings, limit)
    except BodyTooLarge as error:
        raise web.HTTPRequestEntityTooLarge(max_size=limit) from error
    request.app[BODIES].hold(len(unpacked))
    return unpacked


async def _received(request: web.Request) -> bytes:
    if request.content.is_eof():  # it came with the headers
        return await _whole(request)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _whole(request)
    except TimeoutError:
        raise ServiceError(
            408, f"The request body did not come within {BODY_SECONDS:g} s.", code="request_timeout"
        ) from None


async def _whole(request: web.Request) -> bytes:
    """The body as it came, counted with those of all other requests while it comes."""
    bodies, limit = request.app[BODIES], request.client_max_size
    body = bytearray()
    async for piece in request.content.iter_any():
        if len(body) + len(piece) > limit:
            raise web.HTTPRequestEntityTooLarge(max_size=limit)
        bodies.hold(len(piece))
        body += piece
    return bytes(body)
