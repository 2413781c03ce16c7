"""HTTP over a bare socket: whatever bytes a client may send, and the answer as it came."""

import asyncio
from dataclasses import dataclass

BEARER = b"Authorization: Bearer "


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `lines` are those of its head."""

    lines: tuple[bytes, ...]
    body: bytes

    @property
    def status(self) -> int:
        """The status, 0 where nothing came."""
        return int(self.lines[0].split()[1]) if self.lines[0] else 0

    @property
    def names(self) -> list[str]:
        """The names of the headers, in lower case."""
        return [line.partition(b":")[0].decode("latin-1").lower() for line in self.lines[1:]]

    def header(self, name: str) -> str | None:
        """The value of the header *name*."""
        for line in self.lines[1:]:
            found, _, value = line.partition(b":")
            if found.decode("latin-1").lower() == name:
                return value.strip().decode("latin-1")
        return None


async def send(port: int, data: bytes, *, seconds: float = 20.0) -> Answer:
    """Send *data* on a connection of its own, and read all that comes until the other side closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        raw = await asyncio.wait_for(_read(reader), seconds)
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return Answer(tuple(head.split(b"\r\n")), body)


async def _read(reader: asyncio.StreamReader) -> bytes:
    received = b""
    try:
        while piece := await reader.read(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def request(method: str, path: str, *headers: bytes, body: bytes = b"", host: bytes = b"localhost") -> bytes:
    """A request whose answer ends the connection."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + host, b"Connection: close", *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])
