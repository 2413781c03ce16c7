"""An answer on its way to the client: as an event stream, or as one object."""

from collections.abc import Mapping

from aiohttp import web

from proxy.direct import Direct
from proxy.keys import SETTINGS
from proxy.rendering import json_response
from proxy.streaming import AnswerStream, End, Piece, Reply, Source


async def send(
    request: web.Request,
    source: Source[Piece, End],
    reply: Reply[Piece, End],
    *,
    stream: bool,
    headers: Mapping[str, str],
    direct: Direct | None = None,
) -> web.StreamResponse:
    """Answer *request* with *source* in the shape of *reply*. Raises `ServiceError` before anything was sent."""
    if stream:
        return await AnswerStream(source, reply, request.app[SETTINGS].keepalive, headers, direct).send(request)
    texts = [text async for text in source.texts()]
    whole = reply.whole(texts, source.ending, source.usage)
    return json_response(whole, headers={**headers, **source.headers, "Cache-Control": "no-store"})
