"""Reading request bodies, which are JSON, without blocking the event loop."""

import asyncio
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from aiohttp import web

from proxy.chat.errors import LimitExceeded, ServiceError, bad_request
from proxy.chat.offload import LARGE_BYTES
from proxy.server import incremental_json
from proxy.server.content_encoding import BodyTooLarge, decode, read_codings
from proxy.server.in_flight import IN_FLIGHT

BODY_SECONDS = 120.0  # for a whole body: the largest one over a line of 2 Mbit/s
GRADUAL_BYTES = 256 * 1024  # of JSON; more is read in short steps

T = TypeVar("T")


async def read_body(request: web.Request, parse: Callable[[bytes], T]) -> T:
    """Read the request's body, and return what *parse*, a pure function, makes of it.

    Raises what it raises, and `ServiceError`: 408 for a body that does not arrive in time, 413 for one that is too
    large, or unpacks to it, 415 for an unknown compression, 400 for an invalid one or another content type, 503
    where the bodies of all requests together are too large.
    """
    encoding = request.headers.get("Content-Encoding")
    codings = read_codings(encoding) if encoding else ()
    body = await _read_raw(request)
    if codings and body:
        limit = request.client_max_size
        in_flight = request.app[IN_FLIGHT]
        async with in_flight.unpacking:
            try:  # in a thread, since what is small may stand for much
                body = await asyncio.to_thread(decode, body, codings, limit)
            except BodyTooLarge as error:
                raise _too_large() from error
            in_flight.hold(len(body))
    kind = request.content_type
    # `application/octet-stream` is what nothing, or nothing in particular, is.
    if body and kind != "application/octet-stream" and not kind.endswith(("/json", "+json")):
        raise bad_request(
            f"The body must be JSON, and its Content-Type application/json instead of {kind}.",
            code="invalid_content_type",
        )
    return parse(body) if len(body) <= LARGE_BYTES else await asyncio.to_thread(parse, body)


def _too_large() -> LimitExceeded:
    return LimitExceeded(
        413, "The request body is too large; FREEAICHAT_MAX_BODY sets the limit.", code="request_too_large"
    )


async def _read_raw(request: web.Request) -> bytes:
    """Read the body as it was sent, counting it with those of all other requests."""
    in_flight, limit, content = request.app[IN_FLIGHT], request.client_max_size, request.content
    if (request.content_length or 0) > limit:  # which nobody has to send
        raise _too_large()
    if content.is_eof():  # it came with the head, as short ones do
        whole = content.read_nowait()
        if len(whole) > limit:
            raise _too_large()
        in_flight.hold(len(whole))
        return whole
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in content.iter_any():
                if len(body) + len(chunk) > limit:
                    raise _too_large()
                in_flight.hold(len(chunk))
                body += chunk
    except TimeoutError:
        raise ServiceError(
            408, f"The request body did not come within {BODY_SECONDS:g} s.", code="request_timeout"
        ) from None
    return bytes(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """Parse a request body, as clients of many kinds write it, into a JSON object. Raises `ServiceError` (400)."""
    try:
        value = _loads(body)
    except incremental_json.JsonTooLarge as error:
        raise bad_request(f"The JSON body of your request is refused: {error}.", code="json_above_limits") from error
    except (incremental_json.InvalidJson, orjson.JSONDecodeError) as error:
        raise bad_request(f"We could not parse the JSON body of your request: {error}.") from error
    if not isinstance(value, dict):
        raise bad_request("The request body must be a JSON object.")
    return value


def _loads(body: bytes) -> Any:
    """Parse *body*, also with a byte order mark, or with half a surrogate pair that a client cut off."""
    if len(body) > GRADUAL_BYTES:
        return incremental_json.loads(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(incremental_json.replace_lone_surrogates(body.removeprefix(BOM_UTF8)))
