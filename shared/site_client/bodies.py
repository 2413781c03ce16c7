"""The body of a response on its way from the socket to its reader: in pieces, or by a plain call for each piece."""

import asyncio
from collections.abc import Callable

MAX_AHEAD_BYTES = 256 * 1024  # read from the socket and not by the reader; more stays in the kernel

Take = Callable[[bytes], bool]  # takes a piece; False: no more until it is asked to go on


class Body:
    """The body of one response. Iterate to read it; it raises `SiteUnreachable` where it breaks off."""

    __slots__ = ("_error", "_has_ended", "_is_paused", "_pause", "_pieces", "_resume", "_size", "_take", "_waiter")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._pieces: list[bytes] = []
        self._size = 0
        self._take: Take | None = None  # of the reader that waits in `pass_to`
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._has_ended = False
        self._is_paused = False  # the reader wants to be asked before the next piece

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._is_over():
                raise StopAsyncIteration
            await self._wait()
        return self._unread()

    async def pass_to(self, take: Take) -> bool:
        """Call *take* with each piece as soon as it has come: what comes later, in the very call it comes with.

        True once *take* returned False, False at the body's end. Raises what *take* raises, and `SiteUnreachable`.
        """
        while True:
            if self._pieces:
                if not take(self._unread()):
                    return True
            elif self._is_over():
                return False
            else:
                self._take = take
                try:
                    await self._wait()
                finally:
                    self._take = None
                if self._is_paused:
                    self._is_paused = False
                    return True

    def deliver(self, data: bytes) -> None:
        """Hand *data* to the reader; nobody gets it behind an error."""
        if self._has_ended:
            return
        if self._take is not None:
            try:
                if not self._take(data):
                    self._is_paused = True
                    self._wake()
            except Exception as error:  # noqa: BLE001  (raised anew where the reader waits)
                self.end(error)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MAX_AHEAD_BYTES:
            self._pause()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """There is no more; *error* says why if that is too early."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._wake()

    def _is_over(self) -> bool:
        if self._error is not None:
            raise self._error
        return self._has_ended

    def _unread(self) -> bytes:
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._size > MAX_AHEAD_BYTES:
            self._resume()
        self._size = 0
        return piece

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None  # while there is one, nothing is unread
        self._take = None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Unread(Body):
    """What comes of a body that nobody reads any more; none of it is kept."""

    __slots__ = ()

    def deliver(self, data: bytes) -> None:
        """Let go of *data*."""

    def end(self, error: Exception | None = None) -> None:
        """Nobody waits for it."""
