"""The body of a response: an async iterator of chunks, or a callback for each chunk."""

import asyncio
from collections.abc import Callable

MAX_BUFFER_BYTES = 256 * 1024  # buffered for the reader; more stays in the kernel

ChunkHandler = Callable[[bytes], bool]  # gets a chunk; False: pause until the next call


class Body:
    """The body of one response. Iterate to read it; raises `SiteUnreachable` where it breaks off."""

    __slots__ = ("_chunks", "_error", "_handler", "_has_ended", "_is_paused", "_pause", "_resume", "_size", "_waiter")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._chunks: list[bytes] = []
        self._size = 0
        self._handler: ChunkHandler | None = None  # of the reader that waits in `consume`
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._has_ended = False
        self._is_paused = False  # the handler returned False

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._is_over():
                raise StopAsyncIteration
            await self._wait()
        return self._unread()

    async def consume(self, handler: ChunkHandler) -> bool:
        """Call *handler* with each chunk as soon as it arrives, without a task switch.

        True once *handler* returned False, False at the end of the body. Raises what it raises, and `SiteUnreachable`.
        """
        while True:
            if self._chunks:
                if not handler(self._unread()):
                    return True
            elif self._is_over():
                return False
            else:
                self._handler = handler
                try:
                    await self._wait()
                finally:
                    self._handler = None
                if self._is_paused:
                    self._is_paused = False
                    return True

    def feed(self, data: bytes) -> None:
        """Feed *data* to the reader; ignored after the end."""
        if self._has_ended:
            return
        if self._handler is not None:
            try:
                if not self._handler(data):
                    self._is_paused = True
                    self._wake()
            except Exception as error:  # noqa: BLE001  (raised anew where the reader waits)
                self.end(error)
            return
        self._chunks.append(data)
        self._size += len(data)
        if self._size > MAX_BUFFER_BYTES:
            self._pause()
        self._wake()

    def end(self, error: Exception | None = None) -> None:
        """End the body; *error*: why it ended early."""
        if not self._has_ended:
            self._has_ended, self._error = True, error
            self._wake()

    def _is_over(self) -> bool:
        if self._error is not None:
            raise self._error
        return self._has_ended

    def _unread(self) -> bytes:
        chunk = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        if self._size > MAX_BUFFER_BYTES:
            self._resume()
        self._size = 0
        return chunk

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None  # while there is one, nothing is unread
        self._handler = None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
