"""Reading request bodies, which are JSON, without holding up everybody else."""

import asyncio
from codecs import BOM_UTF8
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from aiohttp import web

from proxy.chat.errors import Refused, ServiceError, bad_request
from proxy.chat.offload import LARGE_BYTES
from proxy.server import gradual_json
from proxy.server.content_encoding import BodyTooLarge, decode, read_codings
from proxy.server.under_way import UNDER_WAY

BODY_SECONDS = 120.0  # for a whole body: the largest one over a line of 2 Mbit/s
GRADUAL_BYTES = 256 * 1024  # of JSON; more is read in short steps

T = TypeVar("T")


async def read_body(request: web.Request, parse: Callable[[bytes], T]) -> T:
    """What *parse*, a pure function, makes of the request's body, which is JSON.

    Raises what it raises, and `ServiceError`: 408 for a body that does not come in time, 413 for one that is or unpacks
    too large, 415 for one that is compressed in an unknown way, 400 for one that is broken or no JSON, 503 where all
    bodies together are too much.
    """
    encoding = request.headers.get("Content-Encoding")
    codings = read_codings(encoding) if encoding else ()
    body = await _received(request)
    if codings and body:
        limit = request.client_max_size
        try:  # in a thread, since what is small may stand for much
            body = await asyncio.to_thread(decode, body, codings, limit)
        except BodyTooLarge as error:
            raise _too_large() from error
        request.app[UNDER_WAY].hold(len(body))
    kind = request.content_type
    # `application/octet-stream` is what nothing, or nothing in particular, is.
    if body and kind != "application/octet-stream" and not kind.endswith(("/json", "+json")):
        raise bad_request(
            f"The body must be JSON, and its Content-Type application/json instead of {kind}.",
            code="invalid_content_type",
        )
    return parse(body) if len(body) <= LARGE_BYTES else await asyncio.to_thread(parse, body)


def _too_large() -> Refused:
    return Refused(413, "The request body is too large; FREEAICHAT_MAX_BODY sets the limit.", code="request_too_large")


async def _received(request: web.Request) -> bytes:
    """The body as it came, counted with those of all other requests while it comes."""
    under_way, limit, content = request.app[UNDER_WAY], request.client_max_size, request.content
    if (request.content_length or 0) > limit:  # which nobody has to send
        raise _too_large()
    if content.is_eof():  # it came with the head, as short ones do
        whole = content.read_nowait()
        if len(whole) > limit:
            raise _too_large()
        under_way.hold(len(whole))
        return whole
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in content.iter_any():
                if len(body) + len(piece) > limit:
                    raise _too_large()
                under_way.hold(len(piece))
                body += piece
    except TimeoutError:
        raise ServiceError(
            408, f"The request body did not come within {BODY_SECONDS:g} s.", code="request_timeout"
        ) from None
    return bytes(body)


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object in a request body, as clients of many kinds write it. Raises `ServiceError` (400)."""
    try:
        value = _loads(body)
    except gradual_json.TooMuchJson as error:
        raise bad_request(f"The JSON body of your request is refused: {error}.", code="json_above_limits") from error
    except (gradual_json.NoJson, orjson.JSONDecodeError) as error:
        raise bad_request(f"We could not parse the JSON body of your request: {error}.") from error
    if not isinstance(value, dict):
        raise bad_request("The request body must be a JSON object.")
    return value


def _loads(body: bytes) -> Any:
    """What *body* spells, also behind a byte order mark, and with half a surrogate pair that a client cut off."""
    if len(body) > GRADUAL_BYTES:
        return gradual_json.loads(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return orjson.loads(gradual_json.whole_pairs(body.removeprefix(BOM_UTF8)))
