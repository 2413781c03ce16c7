"""An HTTP proxy as companies have them: the only one that knows the names outside."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress


class HttpProxy:
    """Leads each name of *ports* to that port of this machine; *user* (`name:password`) is asked for if given."""

    def __init__(self, ports: Mapping[str, int], user: str = "") -> None:
        self._ports = ports
        self._wanted = f"Basic {b64encode(user.encode()).decode()}" if user else ""
        self.heads: list[str] = []
        self.port = 0

    def count(self, start: str) -> int:
        """How many requests began with *start* and were let through."""
        return sum(head.startswith(start) for head in self.heads)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a tunnel, or requests in absolute form."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if self._wanted and f"Proxy-Authorization: {self._wanted}\r\n" not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\n")
                writer.write(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                self.heads.append(head)
                await self._pass_on(head, reader, writer)
        writer.close()

    async def _pass_on(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(" ", 2)
        host = (target if method == "CONNECT" else target.split("/")[2]).partition(":")[0]
        if host not in self._ports:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        there, upstream = await asyncio.open_connection("127.0.0.1", self._ports[host])
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:  # one request for each connection
            lines = [line for line in head.split("\r\n") if not line.lower().startswith(("proxy-", "connection:"))]
            path = "/" + target.split("/", 3)[3]
            lines[0] = f"{method} {path} HTTP/1.1\r\nConnection: close"
            upstream.write("\r\n".join(lines).encode("latin-1"))
        ways = [asyncio.create_task(_copy(reader, upstream)), asyncio.create_task(_copy(there, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        upstream.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def http_proxy(ports: Mapping[str, int], user: str = "") -> AsyncIterator[HttpProxy]:
    """One that runs."""
    proxy = HttpProxy(ports, user)
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as listener:
        proxy.port = listener.sockets[0].getsockname()[1]
        yield proxy
