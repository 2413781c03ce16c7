"""A network between two programs that can lose what is sent over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Passes on what is sent to its port, unless it is told otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target  # of connections to come
        self._to_cut = 0
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self.port = 0

    def cut(self) -> None:
        """Pass on nothing, as where a cable was pulled: connections stand and are silent."""
        self._is_whole.clear()

    def heal(self) -> None:
        """Pass on again, also what was sent meanwhile."""
        self._is_whole.set()

    def cut_answers(self, count: int) -> None:
        """Pass on requests as before, but end the next *count* connections over which an answer would come."""
        self._to_cut = count

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(OSError):
            answers, requests = await asyncio.open_connection("127.0.0.1", self.target)
            ways = [asyncio.create_task(way) for way in (self._ask(reader, requests), self._answer(answers, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            requests.close()
        writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._is_whole.wait()
            writer.write(data)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._is_whole.wait()
            if self._to_cut:
                self._to_cut -= 1
                return
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def relay(target: int) -> AsyncIterator[Relay]:
    """A relay to the port *target* of this machine."""
    one = Relay(target)
    async with await asyncio.start_server(one.serve, "127.0.0.1", 0) as listener:
        one.port = listener.sockets[0].getsockname()[1]
        yield one
