"""HTTP as bytes on a socket, for what client libraries hide."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Connection:
    """An open connection with a request sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Return the status and the headers, names in lower case, duplicates included."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = [line.partition(":") for line in lines[1:]]
        return int(lines[0].split()[1]), [(name.lower(), value.strip()) for name, _, value in headers]

    async def chunks(self) -> AsyncIterator[tuple[float, bytes]]:
        """Yield each chunk of a chunked body with its arrival time."""
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
            content = await self.reader.readexactly(size + 2)
            if not size:
                return
            yield monotonic(), content[:-2]


@dataclass
class WireResponse:
    """A complete response, unparsed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[str]:
        """The events of a stream, which must end with an empty line."""
        text = self.body.decode()
        assert text.endswith("\n\n")
        return text[:-2].split("\n\n")

    @property
    def data(self) -> list[Any]:
        """The parsed data of a stream's events, without the end mark."""
        lines = [line for event in self.events for line in event.split("\n") if line.startswith("data: ")]
        return [json.loads(line[6:]) for line in lines if line != "data: [DONE]"]


@asynccontextmanager
async def connected(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Connection]:
    """Send a request and yield the connection. A *body* of bytes is sent as it is, anything else as JSON."""
    host = urlsplit(url).netloc
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Host": host, "Content-Length": str(len(content)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    reader, writer = await asyncio.open_connection(*host.rsplit(":", 1), limit=16 * 1024 * 1024)
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        yield Connection(reader, writer)
    finally:
        writer.close()


async def exchange(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> WireResponse:
    """Send one request and read the whole response. No header may come twice."""
    async with connected(url, method, path, body, headers) as connection:
        status, pairs = await connection.head()
        found = dict(pairs)
        assert len(found) == len(pairs), f"headers that came twice: {pairs}"
        if found.get("transfer-encoding") == "chunked":
            content = b"".join([chunk async for _, chunk in connection.chunks()])
        elif method == "HEAD" or status == 204:
            content = b""
        else:
            content = await connection.reader.readexactly(int(found["content-length"]))
        connection.writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        after = await connection.reader.read()
    assert after.startswith(b"HTTP/1.1 200"), f"bytes behind the answer: {after[:200]!r}"
    return WireResponse(status, found, content)
