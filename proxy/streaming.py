"""Writing an answer to the client as OpenAI's event stream.

The headers wait for the first text, so that every earlier failure has a real status; at the latest after
`HOLD_SECONDS` they go out, and keep-alives fill silences. After that a failure can only be an error event, and no end
mark follows it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from time import perf_counter
from typing import Any, Generic, Literal, Protocol, TypeVar

from aiohttp import ClientConnectionResetError, HttpVersion11, web

from proxy.direct import Direct, Sent
from proxy.protocol.chat_reply import KEEPALIVE_COMMENT
from proxy.protocol.errors import ServiceError
from proxy.protocol.usage import Usage
from proxy.stopping import STOPPING, stopping_error

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
        self._response = web.StreamResponse(headers={**headers, **SSE_HEADERS})
        self.first_text_at: float | None = None  # by `perf_counter`
        self.failure: ServiceError | None = None  # that ended it after its headers were sent
        self.used: Usage | None = None  # once it is whole

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send the answer as it comes. Raises `ServiceError` as long as no header was sent."""
        async with aclosing(self._source.texts()) as texts:
            first = asyncio.create_task(_first(texts))
            try:
                if (await asyncio.wait({first}, timeout=HOLD_SECONDS))[0]:
                    first.result()  # a failure leaves here, with its own status
                self._response.headers.update(self._source.headers)
                with suppress(ClientConnectionResetError):  # the client left; there is nobody to tell
                    if request.version >= HttpVersion11:
                        self._response.enable_chunked_encoding()  # what `Direct` writes is framed so
                    else:
                        self._direct = None
                    await self._response.prepare(request)
                    await self._write_body(request, first, texts)
                    await self._response.write_eof()
            finally:
                await _cancel(first)
        return self._response

    async def _write_body(
        self, request: web.Request, first: asyncio.Task[Piece | None], texts: AsyncGenerator[Piece, None]
    ) -> None:
        try:
            await self._write_texts(request, first, texts)
            self.used = self._source.usage
            await self._response.write(self._reply.closing(self._source.ending, self.used))
        except ServiceError as error:
            log.warning("answer %s broke off: %s", self._source.id, error.message)
            await self._fail(error)
        except ClientConnectionResetError:
            raise
        except asyncio.CancelledError:
            if not request.app[STOPPING].is_over:
                raise  # the client left
            await self._fail(stopping_error())
        except Exception:
            log.exception("answer %s broke off", self._source.id)
            failure = ServiceError(
                500, "The proxy failed; its log says more.", type="server_error", code="internal_error"
            )
            await self._fail(failure)

    async def _fail(self, failure: ServiceError) -> None:
        """Tell the client that no more is to come."""
        self.failure = failure
        await self._response.write(self._reply.failure(failure))

    async def _write_texts(
        self, request: web.Request, first: asyncio.Task[Piece | None], texts: AsyncGenerator[Piece, None]
    ) -> None:
        write, as_chunk = self._response.write, self._reply.text
        opening = self._reply.opening()
        if not first.done():
            await write(opening)
            opening = b""
        async with self._filled_silences() as written:
            piece = await first
            self.first_text_at = perf_counter()
            if begun := opening + (b"" if piece is None else as_chunk(piece)):
                await write(begun)
            if self._direct is not None and piece is not None and request.transport is not None:
                self._direct.open(request.transport)
            async for text in texts:
                written.set()
                if type(text) is not Sent:
                    await write(as_chunk(text))

    @asynccontextmanager
    async def _filled_silences(self) -> AsyncIterator[asyncio.Event]:
        """Write a keep-alive whenever the yielded event was not set for a while."""
        written = asyncio.Event()

        async def fill(filler: Callable[[], bytes]) -> None:
            while True:
                await asyncio.sleep(SILENCE_SECONDS)
                if not written.is_set() and not (self._direct and self._direct.has_written):
                    await self._response.write(filler())
                written.clear()
                if self._direct is not None:
                    self._direct.has_written = False

        task = asyncio.create_task(fill(self._filler)) if self._filler else None
        try:
            yield written
        finally:
            if task is not None:
                await _cancel(task)


async def _first(texts: AsyncGenerator[Piece, None]) -> Piece | None:
    """The first text; None where a whole answer has none (a refusal, for one)."""
    return await anext(texts, None)


async def _cancel(task: asyncio.Task[Piece | None] | asyncio.Task[None]) -> None:
    """End *task* and wait until it is gone. What it failed with was told already, or has nobody to hear it."""
    if not task.done():
        task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
