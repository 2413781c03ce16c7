"""HTTP over a raw socket, so that an answer is compared byte for byte."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer. *interim* is a 100 Continue before it, *chunks* are the body's chunks as they were framed."""

    interim: bytes
    head: bytes
    chunks: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        """The body without its framing."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


async def get(url: str, *headers: str) -> RawAnswer:
    """Send a GET request."""
    return await exchange(url, "GET", b"", headers)


async def post(url: str, body: bytes, content_type: str, *headers: str) -> RawAnswer:
    """Send a POST request."""
    return await exchange(url, "POST", body, [f"Content-Type: {content_type}", *headers])


async def exchange(url: str, method: str, body: bytes, headers: Sequence[str]) -> RawAnswer:
    """Send one request on a connection of its own, and read its chunked answer."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", *headers]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        interim = await reader.readuntil(b"\r\n\r\n") if "Expect: 100-continue" in headers else b""
        for start in range(0, len(body), BLOCK):
            writer.write(body[start : start + BLOCK])
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        return RawAnswer(interim, head, await _chunks(reader))
    finally:
        writer.close()
        await writer.wait_closed()


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, ...]:
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return tuple(chunks)


def urlencoded(fields: dict[str, str]) -> tuple[bytes, str]:
    """A form's body and content type."""
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def multipart(fields: dict[str, str]) -> tuple[bytes, str]:
    """A form's body and content type, as browsers send it."""
    boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode(), f"multipart/form-data; boundary={boundary}"
