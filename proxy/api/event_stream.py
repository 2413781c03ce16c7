"""Writing an answer to the client as an event stream.

The headers wait for the first text, so that every earlier failure has a real status; at the latest after
`HOLD_SECONDS` they go out, and keep-alives fill silences. After that a failure can only be an error event, and no end
mark follows it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Literal, Protocol

from aiohttp import ClientConnectionResetError, HttpVersion11, web

from proxy.chat.errors import ServiceError, drop_tracebacks
from proxy.server.errors import internal_error
from proxy.server.in_flight import IN_FLIGHT, stopping_error

HOLD_SECONDS = 10.0
SILENCE_SECONDS = 10.0
MAX_UNSENT_BYTES = 64 * 1024  # in the client's socket; above it the upstream waits for the client
KEEPALIVE_COMMENT = b": keep-alive\n\n"
SSE_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # reverse proxies must not hold events back
}
_SIZE_LINES = tuple(b"%x\r\n" % size for size in range(1024))  # of the chunks that nearly all events are sent in

Keepalive = Literal["comment", "chunk", "off"]
log = logging.getLogger(__name__)


class Encoder(Protocol):
    """Builds the events of an answer in the shape of one API."""

    def opening(self) -> bytes:
        """What comes before the first text."""

    def keepalive(self) -> bytes:
        """An event that adds nothing."""

    def failure(self, error: ServiceError, /) -> bytes:
        """The last event of an answer that broke off."""


class Timer:
    """Awaits *work* after some seconds, and again after as many as it returns (None: never). It starts when created.

    Most timers are stopped before that, so that only work that is due costs a task.
    """

    def __init__(self, seconds: float, work: Callable[[], Awaitable[float | None]]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._handle = self._loop.call_later(seconds, self._start)

    def restart(self, seconds: float) -> None:
        """Count anew, from now on."""
        self._handle.cancel()
        self._handle = self._loop.call_later(seconds, self._start)

    async def stop(self) -> None:
        """Stop it, and cancel work that is running."""
        self._handle.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._handle.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            seconds = await self._work()
        except Exception:
            log.exception("timed work failed")
            return
        if seconds is not None:
            self.restart(seconds)  # in place of a restart during the work, which `stop` would not find any more


class _Response(web.StreamResponse):
    _send_headers_immediately = False  # but with the first text, in one packet


class EventStream:
    """The stream of one request. Events are given to `write`, in any number, from any task or callback."""

    __slots__ = (
        "_encoder",
        "_has_written",
        "_headers",
        "_is_chunked",
        "_is_prepared",
        "_keepalive",
        "_open_lock",
        "_request",
        "_timer",
        "_transport",
        "_unsent",
        "failure",
        "has_begun",
        "has_lost_client",
        "response",
    )

    def __init__(
        self, request: web.Request, encoder: Encoder, keepalive: Keepalive, headers: Mapping[str, str]
    ) -> None:
        """*headers*: further ones; they are read when the stream is opened."""
        self._request = request
        self._encoder = encoder
        self._keepalive = keepalive
        self._headers = headers
        self.response = _Response(headers=SSE_HEADERS)
        self._open_lock = asyncio.Lock()
        self._unsent = bytearray()  # events that came before the stream was open
        self._transport: asyncio.Transport | None = None  # of the open stream, to which events go directly
        self._is_chunked = True
        self.has_begun = False  # the opening was made
        self._is_prepared = False  # the headers are sent, or on their way: a failure can only be an event
        self._has_written = False  # since the last look for silence
        self._timer: Timer | None = Timer(HOLD_SECONDS, self._break_silence)
        self.failure: ServiceError | None = None  # that ended it after its headers were sent
        self.has_lost_client = False  # it was gone before all was written

    def begin(self) -> None:
        """Make the opening, unless that was done already. Call this before any event is made: some APIs number them."""
        if not self.has_begun:
            self.has_begun = True
            self._unsent += self._encoder.opening()

    def write(self, event: bytes) -> bool:
        """Send *event*, or keep it until the stream is open; nothing if empty. False: await `ready` before the next."""
        transport = self._transport
        if transport is None:
            self._unsent += event
            return False
        if not event:  # an empty chunk would end the body
            return True
        if self._is_chunked:
            size = len(event)
            line = _SIZE_LINES[size] if size < len(_SIZE_LINES) else b"%x\r\n" % size
            event = b"".join((line, event, b"\r\n"))
        transport.write(event)
        self._has_written = True
        return transport.get_write_buffer_size() <= MAX_UNSENT_BYTES

    async def ready(self) -> None:
        """Open the stream, or wait until the client has read enough. Raises `ClientConnectionResetError` if it left."""
        if self._transport is None:
            await self._open()
            if self._timer is not None:
                self._timer.restart(SILENCE_SECONDS)
        elif self._transport.is_closing():
            raise ClientConnectionResetError("the client has left")
        else:
            await self._request.writer.drain()

    async def close(self, last: bytes) -> None:
        """End a whole answer with its *last* events."""
        await self._stop_timer()
        try:
            await self._end(last)
        except ClientConnectionResetError:  # there is nobody to tell
            self.has_lost_client = True

    async def fail(self, error: Exception | asyncio.CancelledError) -> bool:
        """End an answer that broke off with *error*. False: raise it; a status can still tell it, or nobody waits."""
        await self._stop_timer()
        if isinstance(error, ClientConnectionResetError):
            self.has_lost_client = True
            drop_tracebacks(error)
            return True
        if not self._is_prepared and not self._unsent:
            return False
        if isinstance(error, asyncio.CancelledError) and not self._request.app[IN_FLIGHT].is_over:
            return False  # the client left
        self.failure = _as_service_error(error)
        drop_tracebacks(error)
        try:
            with suppress(ClientConnectionResetError):
                await self._end(self._encoder.failure(self.failure))
        except Exception:
            # No byte of an answer that cannot even be told to have failed is to look whole.
            log.exception("an answer broke off, and cannot say so")
            if self._request.transport is not None:
                self._request.transport.abort()
        return True

    async def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None  # a reference cycle, which only the garbage collector would free
        if timer is not None:
            await timer.stop()

    async def _end(self, last: bytes) -> None:
        """Send what is unsent and *last*, and end the body; for a short answer this sends the headers too."""
        if not self._is_prepared:
            await self._prepare()
        await self.response.write_eof(bytes(self._unsent) + last)

    async def _open(self) -> None:
        """Send the headers, the opening and what is unsent, unless that was done already."""
        async with self._open_lock:
            if self._transport is not None:
                return
            if not self._is_prepared:
                await self._prepare()
            while True:
                begun = bytes(self._unsent)
                self._unsent.clear()
                await self.response.write(begun)  # the headers go out with the first, even an empty one
                if not self._unsent:
                    break
            if self._request.transport is None:
                raise ClientConnectionResetError("the client has left")
            self._transport = self._request.transport

    async def _prepare(self) -> None:
        """Make the headers; they go out with the first bytes of the body."""
        self._is_prepared = True
        self.response.headers.update(self._headers)
        if self._request.version >= HttpVersion11:
            self.response.enable_chunked_encoding()
        else:
            self._is_chunked = False
            self.response.force_close()  # the end of the body, also for who asked to be kept
        self.begin()
        await self.response.prepare(self._request)

    async def _break_silence(self) -> float:
        """Write a keep-alive if nothing was written for a while."""
        with suppress(ClientConnectionResetError):  # whoever writes next notices
            if self._transport is None:
                await self._open()
            elif self._keepalive != "off" and not self._has_written:
                self.write(KEEPALIVE_COMMENT if self._keepalive == "comment" else self._encoder.keepalive())
        self._has_written = False
        return SILENCE_SECONDS


def _as_service_error(error: BaseException) -> ServiceError:
    """The error for the client."""
    if isinstance(error, asyncio.CancelledError):
        return stopping_error()
    if isinstance(error, ServiceError):
        log.warning("an answer broke off: %s", error.message)
        return error
    log.error("an answer broke off", exc_info=error)
    return internal_error()
