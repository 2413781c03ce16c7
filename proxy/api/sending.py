"""Sending the answers to a request to a model, in the shape of one API: as an event stream, or as one object."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from aiohttp import web

from proxy.api.app_keys import SETTINGS, TURN
from proxy.api.event_stream import Encoder, EventStream
from proxy.api.pieces import MAX_PIECE_CHARS, pieces
from proxy.api.rendering import json_response
from proxy.chat.answer import Answer
from proxy.chat.extras import Extras
from proxy.chat.tokens import Usage, total_usage
from proxy.chat.upstream import End, Sink
from shared.conversations import Message, ToolCall


class Reply(Encoder, Protocol):
    """Builds the objects of one request's answers in the shape of one API; most APIs have one answer for each."""

    def text_of(self, answer: int) -> Callable[[str], bytes]:
        """What makes an event of a piece of text of the answer with that number."""

    def call(self, answer: int, call: ToolCall, /) -> bytes:
        """The events of a call in the answer with that number."""

    def text_with_extras(self, answer: int, extras: Extras, /) -> bytes:
        """The events of a piece of text with what was told beside it."""

    def closing(self, ends: Sequence[End], used: Usage, /) -> bytes:
        """The last events of whole answers, and the end mark."""

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage, /) -> dict[str, Any]:
        """Whole answers as one object."""


async def send(
    request: web.Request,
    answers: Sequence[Answer],
    reply: Reply,
    *,
    stream: bool,
    has_pings: bool = False,
) -> web.StreamResponse:
    """Answer *request* in the shape of *reply*. Raises `ServiceError` before anything was sent.

    *has_pings*: the API has an event for silences, which is used in place of comments.
    """
    turn = request[TURN]
    turn.set_answers(answers)
    if stream:
        return await _stream(request, answers, reply, has_pings=has_pings)
    for answer in answers:
        answer.keep_extras()
    if len(answers) == 1:
        await answers[0].run(_Whole())
    else:
        await _run(answers, [_Whole() for _ in answers])
    turn.usage = used = total_usage([answer.usage for answer in answers])
    messages = [answer.message for answer in answers]
    ends = [answer.end for answer in answers]
    headers = {**answers[0].headers, "Cache-Control": "no-store"}
    return json_response(reply.whole(messages, ends, used), headers=headers)


async def _stream(
    request: web.Request, answers: Sequence[Answer], reply: Reply, *, has_pings: bool
) -> web.StreamResponse:
    turn = request[TURN]
    keepalive = request.app[SETTINGS].keepalive
    if has_pings and keepalive == "comment":
        keepalive = "chunk"
    events = EventStream(request, reply, keepalive, answers[0].headers)
    try:
        if len(answers) == 1:
            await answers[0].run(_Streamed(events, reply, 0))
        else:
            await _run(answers, [_Streamed(events, reply, number) for number in range(len(answers))])
        turn.usage = used = total_usage([answer.usage for answer in answers])
        await events.close(reply.closing([answer.end for answer in answers], used))
    except (Exception, asyncio.CancelledError) as error:
        if not await events.fail(error):
            raise
    finally:
        turn.error, turn.has_left = events.failure, events.has_lost_client
    return events.response


async def _run(answers: Sequence[Answer], sinks: Sequence[Sink]) -> None:
    """Let all run at the same time. Raises the first failure of any of them."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for answer, sink in zip(answers, sinks, strict=True):
                tasks.create_task(answer.run(sink))
    except* Exception as failures:  # noqa: BLE001  (the first is raised anew)
        raise failures.exceptions[0] from None


class _Streamed:
    """Writes the text of one answer to the stream."""

    __slots__ = ("_encode", "_events", "_number", "_reply", "ready")

    def __init__(self, events: EventStream, reply: Reply, number: int) -> None:
        self._events = events
        self._reply, self._number = reply, number
        self._encode = reply.text_of(number)
        self.ready = events.ready

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        if not self._events.has_begun:
            self._events.begin()
        if len(text) > MAX_PIECE_CHARS:
            return self._events.write(b"".join(map(self._encode, pieces(text))))
        return self._events.write(self._encode(text))

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        self._events.begin()
        return self._events.write(self._reply.call(self._number, call))

    def text_with_extras(self, extras: Extras) -> bool:
        """As `Sink.text_with_extras`."""
        self._events.begin()
        return self._events.write(self._reply.text_with_extras(self._number, extras))


class _Whole:
    """For answers that are sent whole: they keep all of it themselves."""

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        return True

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        return True

    def text_with_extras(self, extras: Extras) -> bool:
        """As `Sink.text_with_extras`."""
        return True

    async def ready(self) -> None:
        """As `Sink.ready`."""
