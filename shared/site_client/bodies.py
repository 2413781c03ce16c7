"""The body of a response on its way from the socket to its reader, which may leave a *tap* that looks at it first."""

import asyncio
from collections.abc import Callable

MAX_AHEAD_BYTES = 256 * 1024  # read from the socket and not by the reader; more stays in the kernel

Tap = Callable[[bytes], bytes]  # takes what it can use of a piece, and returns what the reader is to get


class Body:
    """The body of one response. Iterate to read it; it raises `SiteUnreachable` where it breaks off."""

    __slots__ = ("_error", "_has_ended", "_pause", "_pieces", "_resume", "_size", "_waiter", "tap")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.tap: Tap | None = None  # used only while the reader waits and has read everything before
        self._pause, self._resume = pause, resume
        self._pieces: list[bytes] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._has_ended = False

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._has_ended:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._size > MAX_AHEAD_BYTES:
            self._resume()
        self._size = 0
        return piece

    def deliver(self, data: bytes) -> None:
        """Hand *data* to the tap, and what it leaves to the reader."""
        if self.tap is not None and self._waiter is not None:
            data = self.tap(data)
            if not data:
                return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_AHEAD_BYTES:
            self._pause()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """There is no more; *error* says why if that is too early."""
        self._has_ended, self._error = True, error
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None  # while there is one, nothing is unread
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Unread(Body):
    """What comes of a body that nobody reads any more; none of it is kept."""

    __slots__ = ()

    def deliver(self, data: bytes) -> None:
        """Let go of *data*."""

    def end(self, error: Exception | None = None) -> None:
        """Nobody waits for it."""
