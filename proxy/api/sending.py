"""An answer on its way to the client: as an event stream, or as one object."""

from collections.abc import Mapping
from contextlib import aclosing
from time import perf_counter

from aiohttp import web

from proxy.api.app_keys import SETTINGS, TURN
from proxy.api.event_stream import AnswerStream, End, Piece, Reply, Source
from proxy.api.rendering import json_response
from proxy.upstreams.aipkit.direct import Direct
from proxy.usage.turn import Turn


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
    turn = request[TURN]
    turn.model = source.model
    try:
        if stream:
            return await _stream(request, AnswerStream(source, reply, request.app[SETTINGS].keepalive, headers, direct))
        return await _whole(turn, source, reply, headers, direct)
    finally:
        turn.site = source.site
        if turn.usage is None and turn.first_text_at is not None:
            turn.usage = source.usage  # of an answer that broke off


async def _stream(request: web.Request, answer: AnswerStream[Piece, End]) -> web.StreamResponse:
    turn = request[TURN]
    try:
        return await answer.send(request)
    finally:
        turn.usage, turn.first_text_at, turn.error = answer.used, answer.first_text_at, answer.failure
        turn.has_left = answer.has_lost_client


async def _whole(
    turn: Turn,
    source: Source[Piece, End],
    reply: Reply[Piece, End],
    headers: Mapping[str, str],
    direct: Direct | None,
) -> web.Response:
    async with aclosing(source.texts()) as texts:
        first = await anext(texts, None)
        turn.first_text_at = perf_counter()
        if direct is not None:
            direct.collect()
        pieces = [] if first is None else [first, *[text async for text in texts]]
    turn.usage = source.usage
    whole = reply.whole(pieces, source.ending, turn.usage)
    return json_response(whole, headers={**headers, **source.headers, "Cache-Control": "no-store"})
