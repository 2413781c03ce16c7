"""HTTP/1.1 connections as asyncio protocols: data goes from the socket to its reader without a task in between.

This is the hot path of the proxy: one event of a site is one small chunk of data, and everything done for a chunk is
done for every token.
"""

import asyncio
from math import inf
from typing import NamedTuple

from shared.site_client.bodies import Body
from shared.site_client.codings import Coding, select_coding
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.http1 import MAX_HEAD_BYTES, BadResponse, Framing, Head, parse_head

MAX_INTERIMS = 8  # interim responses (status 1xx) before the real one
WRITE_BYTES = 256 * 1024  # written at a time, so that a large body does not hold up the loop
LATE_SECONDS = 1.0  # after its time, a timer shows that this process stood still
LINGER_SECONDS = 0.5  # for the last bytes of a body whose end nobody reads

_NOBODY = Body(lambda: None, lambda: None)  # of no reader: it has ended, and so ignores what it is fed
_NOBODY.end()


class Timeouts(NamedTuple):
    """Timeouts in seconds: between chunks, and for the whole head or, *is_for_all*, the whole response."""

    idle: float
    total: float
    is_for_all: bool = False


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    __slots__ = (
        "_body",
        "_checks_at",
        "_coding",
        "_deadline",
        "_framing",
        "_head",
        "_head_bytes",
        "_idle",
        "_interims",
        "_is_lost",
        "_is_sending",
        "_keeps_alive",
        "_loop",
        "_now",
        "_received_at",
        "_timeouts",
        "_timer",
        "_transport",
        "_writable",
        "is_repeat",
        "is_reused",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self._transport: asyncio.Transport
        self._head_bytes = bytearray()
        self._head: asyncio.Future[Head] | None = None
        self._framing: Framing | None = None
        self._coding: Coding | None = None
        self._body: Body = _NOBODY
        self._received_at = 0.0
        self._timeouts = Timeouts(inf, inf)
        self._idle = inf  # the longest wait for a chunk
        self._deadline = inf  # by the loop's clock: the deadline of the whole
        self._timer: asyncio.TimerHandle | None = None
        self._checks_at = inf  # when the timer fires
        self._keeps_alive = False
        self._is_lost = False
        self._is_sending = False  # some of the request has not been written
        self._writable: asyncio.Future[None] | None = None  # while more than enough waits to be sent
        self._interims = 0
        self.is_reused = False
        self.is_repeat = False  # the request was sent before, on a connection that broke; it may have been processed

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent."""
        return not self._is_lost and not self._transport.is_closing()

    async def send(self, request: bytes, timeouts: Timeouts) -> tuple[Head, Body]:
        """Send *request*; returns the head of its response, and the body to be read. Raises `SiteUnreachable`."""
        if not self.is_usable:  # it was lost just after it was made
            raise SiteUnreachable("closed before anything was asked")
        self._head_bytes.clear()
        self._framing = None
        self._interims = 0
        self._head = head = self._loop.create_future()
        self._body = body = Body(self._transport.pause_reading, self._transport.resume_reading)
        self._timeouts, self._received_at = timeouts, self._now()
        self._idle, self._deadline = timeouts.idle, self._received_at + timeouts.total
        self._check_in(min(timeouts.idle, timeouts.total))
        try:
            await self._send(request, head)
            # By the time this goes on, the whole body may have come and another request have the connection.
            return await head, body
        except BaseException:
            if not head.cancel() and not head.cancelled():
                head.exception()  # counts as seen: nobody waits for it any more
            self.abort()
            raise

    async def _send(self, request: bytes, head: asyncio.Future[Head]) -> None:
        """Write *request*. A site that has answered before its end gets no more of it."""
        self._is_sending = len(request) > WRITE_BYTES
        self._transport.write(request[:WRITE_BYTES])
        for offset in range(WRITE_BYTES, len(request), WRITE_BYTES):
            if self._writable is not None:
                await self._writable
            else:
                await asyncio.sleep(0)
            if head.done():
                return
            self._transport.write(request[offset : offset + WRITE_BYTES])
        self._is_sending = False

    def release(self, body: Body) -> None:
        """Release the connection from the reader of *body*: it is kept if the body ends within `LINGER_SECONDS`.

        Does nothing for a body that has ended: another request may be in flight on its connection.
        """
        if self._body is body and self._framing is not None and not self._framing.finished:
            self._body = _NOBODY
            self._transport.resume_reading()
            self.close_after(LINGER_SECONDS)

    def drop(self, body: Body) -> None:
        """Abort the connection unless *body* has ended, so that the other side notices at once."""
        if self._body is body and self._framing is not None and not self._framing.finished:
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        self._stop_timer()
        self._transport.abort()

    def on_idle(self) -> None:
        """Called when the connection is ready for another request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport has both directions

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        framing = self._framing
        if framing is None:
            self._read_head(data)
            return
        self._received_at = self._now()
        try:
            payload = framing.feed(data)
            if self._coding is not None:
                payload = self._coding.feed(payload)
        except BadResponse as error:
            self._fail(SiteUnreachable(str(error)))
            return
        if payload:
            self._body.feed(payload)
        if framing.finished:
            self._finish(framing)

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        self._stop_timer()
        self.resume_writing()
        if self._head is not None and not self._head.done():
            self._head.set_exception(SiteUnreachable(f"closed without an answer ({_name(error)})"))
        elif self._framing is not None and not self._framing.finished:
            try:
                self._framing.end()
            except BadResponse as broken:
                self._body.end(SiteUnreachable(f"{broken} ({_name(error)})"))
            else:
                self._body.end(SiteUnreachable(_name(error)) if error else None)

    def _read_head(self, data: bytes) -> None:
        if self._head is None or self._head.done():
            self._transport.abort()  # there is no request
            return
        self._received_at = self._now()
        self._head_bytes += data
        end = self._head_bytes.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head_bytes) > MAX_HEAD_BYTES:
                self._fail(SiteUnreachable("the response's head is too large"))
            return
        try:
            head = parse_head(bytes(self._head_bytes[:end]))
            if head.status < 200:  # an interim response; the real one follows
                self._interims += 1
                if self._interims > MAX_INTERIMS:
                    self._fail(SiteUnreachable("interim responses without end"))
                    return
                rest = bytes(self._head_bytes[end + 4 :])
                self._head_bytes.clear()
                if rest:
                    self._read_head(rest)
                return
            self._framing = head.framing()
            head, self._coding = select_coding(head)
        except BadResponse as error:
            self._fail(SiteUnreachable(str(error)))
            return
        self._keeps_alive = head.keeps_alive
        if not self._timeouts.is_for_all:
            self._deadline = inf
        rest = bytes(self._head_bytes[end + 4 :])
        self._head_bytes = bytearray()
        self._head.set_result(head)
        if rest:
            self.data_received(rest)
        elif self._framing.finished:
            self._finish(self._framing)

    def _finish(self, framing: Framing) -> None:
        self._idle = self._deadline = inf
        self._body.end()
        self._body = _NOBODY  # what becomes of the connection does not concern its reader, who may be slow
        self._transport.resume_reading()
        if self._is_sending:
            self._transport.abort()
        elif self._keeps_alive and not framing.has_surplus and self.is_usable:
            self.on_idle()
        else:
            self._transport.close()

    def _fail(self, error: SiteUnreachable) -> None:
        self._stop_timer()
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)
        self._body.end(error)
        self.resume_writing()
        self._transport.abort()

    def close_after(self, seconds: float) -> None:
        """Close after *seconds*, unless it is used again."""
        self._idle, self._deadline = inf, self._now() + seconds
        self._check_in(seconds)

    def _check_in(self, seconds: float) -> None:
        """Have `_check_timeouts` called within *seconds*, perhaps earlier: the timer is seldom reset."""
        when = self._now() + seconds
        if when < self._checks_at:
            self._stop_timer()
            self._timer, self._checks_at = self._loop.call_later(seconds, self._check_timeouts), when

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._checks_at = None, inf

    def _check_timeouts(self) -> None:
        """Check the timeouts. (The timer is not reset for each chunk.)"""
        now = self._now()
        is_late = now - self._checks_at > LATE_SECONDS
        self._timer, self._checks_at = None, inf
        left = min(self._received_at + self._idle, self._deadline) - now
        if left == inf:  # the connection is between requests
            return
        if left > 0:
            self._check_in(left)
        elif is_late:
            self._check_in(LATE_SECONDS)  # what came meanwhile is still to be read
        elif now >= self._deadline:
            self._fail(SiteTimeout("the answer took too long"))
        else:
            self._fail(SiteTimeout("nothing came for too long"))


def _name(error: Exception | None) -> str:
    return type(error).__name__ if error is not None else "the other side closed it"
