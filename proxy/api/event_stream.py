"""Writing an answer to the client as OpenAI's event stream.

The headers wait for the first text, so that every earlier failure has a real status; at the latest after
`HOLD_SECONDS` they go out, and keep-alives fill silences. After that a failure can only be an error event, and no end
mark follows it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from time import perf_counter
from typing import Any, Generic, Literal, Protocol, TypeVar

from aiohttp import ClientConnectionResetError, HttpVersion11, web

from proxy.api.chat_completions.reply import KEEPALIVE_COMMENT
from proxy.api.timer import Timer
from proxy.chat.errors import ServiceError, release
from proxy.chat.tokens import Usage
from proxy.server.shutdown import STOPPING, stopping_error
from proxy.upstreams.aipkit.direct import Direct, Sent

HOLD_SECONDS = 10.0
SILENCE_SECONDS = 10.0
SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # reverse proxies must not hold events back
}

Keepalive = Literal["comment", "chunk", "off"]
log = logging.getLogger(__name__)

Piece = TypeVar("Piece")  # of text: a str, or with several answers at once the number of the answer and its text
Piece_contra = TypeVar("Piece_contra", contravariant=True)
Piece_co = TypeVar("Piece_co", covariant=True)
End = TypeVar("End")  # how the answer ended, or each of them
End_contra = TypeVar("End_contra", contravariant=True)
End_co = TypeVar("End_co", covariant=True)


class Source(Protocol[Piece_co, End_co]):
    """What is streamed: an answer, or several at once."""

    @property
    def id(self) -> str:
        """Its name in the log."""

    @property
    def model(self) -> str:
        """The name of the model that answers."""

    @property
    def site(self) -> str:
        """The origin of the site that answers, or was tried last."""

    @property
    def ending(self) -> End_co:
        """How it ended; known after its texts."""

    @property
    def usage(self) -> Usage:
        """What it used; known after its texts."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers; known from its first text on."""

    def texts(self) -> AsyncGenerator[Piece_co, None]:
        """Its text as it comes. Raises `ServiceError`."""


class Reply(Protocol[Piece_contra, End_contra]):
    """Builds the objects of one answer in one of OpenAI's shapes."""

    def opening(self) -> bytes:
        """What comes before the first text."""

    def text(self, text: Piece_contra, /) -> bytes:
        """One piece of text."""

    def silence(self) -> bytes:
        """An event that adds nothing."""

    def closing(self, ending: End_contra, used: Usage, /) -> bytes:
        """The last events of a whole answer, and the end mark."""

    def failure(self, error: ServiceError, /) -> bytes:
        """The last event of an answer that broke off."""

    def whole(self, texts: Sequence[Piece_contra], ending: End_contra, used: Usage, /) -> dict[str, Any]:
        """The whole answer as one object, from all of its texts."""


class _EventStream(web.StreamResponse):
    _send_headers_immediately = False  # but with the first text, in one packet


class AnswerStream(Generic[Piece, End]):
    """One answer on its way to one client."""

    def __init__(
        self,
        source: Source[Piece, End],
        reply: Reply[Piece, End],
        keepalive: Keepalive,
        headers: Mapping[str, str],
        direct: Direct | None = None,
    ) -> None:
        self._source = source
        self._reply = reply
        self._direct = direct
        self._filler = {"comment": lambda: KEEPALIVE_COMMENT, "chunk": reply.silence, "off": None}[keepalive]
        self._response = _EventStream(headers={**headers, **SSE_HEADERS})
        self._is_open = False  # the headers are sent, or on their way: a failure can only be an event
        self._has_written = False  # since the last look for silence
        self.first_text_at: float | None = None  # by `perf_counter`
        self.failure: ServiceError | None = None  # that ended it after its headers were sent
        self.used: Usage | None = None  # once it is whole
        self.has_lost_client = False  # it was gone before all was written

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send the answer as it comes. Raises `ServiceError` as long as no header was sent."""
        timer = Timer(HOLD_SECONDS, lambda: self._break_silence(request))
        async with aclosing(self._source.texts()) as texts:
            try:
                await self._response.write_eof(await self._write_body(request, texts, timer))
            except ClientConnectionResetError:  # there is nobody to tell
                self.has_lost_client = self.failure is None
            finally:
                await timer.stop()
        return self._response

    async def _write_body(self, request: web.Request, texts: AsyncGenerator[Piece, None], timer: Timer) -> bytes:
        """Everything but the last events, which are returned."""
        try:
            await self._write_texts(request, texts, timer)
            self.used = self._source.usage
            return self._reply.closing(self._source.ending, self.used)
        except ClientConnectionResetError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if not self._is_open:
                raise  # with its own status
            if isinstance(error, asyncio.CancelledError) and not request.app[STOPPING].is_over:
                raise  # the client left
            await timer.settle()
            try:
                return self._fail(error)
            except (
                Exception
            ) as broken:  # a reply that cannot even be told to have failed: no byte of it is to look whole
                log.exception("answer %s broke off, and cannot say so", self._source.id)
                if request.transport is not None:
                    request.transport.abort()
                raise ClientConnectionResetError from broken

    def _fail(self, error: BaseException) -> bytes:
        """What tells the client that no more is to come."""
        if isinstance(error, asyncio.CancelledError):
            self.failure = stopping_error()
        elif isinstance(error, ServiceError):
            log.warning("answer %s broke off: %s", self._source.id, error.message)
            self.failure = error
        else:
            log.error("answer %s broke off", self._source.id, exc_info=error)
            self.failure = ServiceError(
                500, "The proxy failed; its log says more.", type="server_error", code="internal_error"
            )
        release(error)
        return self._reply.failure(self.failure)

    async def _write_texts(self, request: web.Request, texts: AsyncGenerator[Piece, None], timer: Timer) -> None:
        write, as_chunk = self._response.write, self._reply.text
        piece = await anext(texts, None)  # None where a whole answer has no text (a refusal, for one)
        self.first_text_at = perf_counter()
        if self._is_open:
            await timer.settle()
            begun = b""
        else:
            await self._open(request)
            timer.restart(SILENCE_SECONDS)
            begun = self._reply.opening()
        begun += b"" if piece is None else as_chunk(piece)
        if begun:
            await write(begun)
        del begun  # not to be held for as long as the answer lasts
        if self._direct is not None and piece is not None and request.transport is not None:
            self._direct.open(request.transport)
        async for text in texts:
            self._has_written = True
            if type(text) is not Sent:
                await write(as_chunk(text))

    async def _open(self, request: web.Request) -> None:
        self._is_open = True
        self._response.headers.update(self._source.headers)
        if request.version >= HttpVersion11:
            self._response.enable_chunked_encoding()  # what `Direct` writes is framed so
        else:
            self._direct = None
        await self._response.prepare(request)

    async def _break_silence(self, request: web.Request) -> float:
        """Nothing may have been written for a while: the client is to know that its request is still alive."""
        with suppress(ClientConnectionResetError):  # whoever writes next notices
            if not self._is_open:
                await self._open(request)
                await self._response.write(self._reply.opening())
            elif self._filler and not self._has_written and not (self._direct and self._direct.has_written):
                await self._response.write(self._filler())
        self._has_written = False
        if self._direct is not None:
            self._direct.has_written = False
        return SILENCE_SECONDS
