"""A site that answers with raw bytes, however wrong they are: one function for each of the three requests."""

import asyncio
import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]

STEP_1, STEP_2, NONCE = "aipkit_cache_sse_message", "aipkit_frontend_chat_stream", "aipkit_get_frontend_chat_nonce"
EVENTS_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n"
OPENING = b'event: message_start\ndata: {"message_id":"aipkit-msg-1.1"}\n\n'
DONE = b'event: done\ndata: {"finished":true}\n\n'
ANSWER = "all is well"
APART = 0.02  # seconds


def sends(*pieces: bytes) -> Act:
    """Write *pieces* one by one, each so that it arrives by itself."""

    async def act(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(APART)

    return act


def json_answer(value: object, *headers: bytes) -> bytes:
    """A whole JSON response."""
    return response(json.dumps(value).encode(), b"Content-Type: application/json", *headers)


def response(body: bytes, *headers: bytes) -> bytes:
    """A whole response."""
    lines = [b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body), b"Connection: close", b"", body]
    return b"\r\n".join(lines)


def delta(text: str) -> bytes:
    """One piece of an answer's text, in the plugin's own spelling."""
    return b"data: " + json.dumps({"delta": text}, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


GOOD: dict[str, Act] = {
    STEP_1: sends(json_answer({"success": True, "data": {"cache_key": "aipkit_sse_0123456789"}})),
    STEP_2: sends(EVENTS_HEAD + b"\r\n" + OPENING + delta(ANSWER) + DONE),
    NONCE: sends(json_answer({"success": True, "data": {"nonce": "0123456789"}})),
}


@dataclass
class HostileSite:
    """What it does is in `acts`, by action; `requests` holds the heads of all that came, `sent` counts bytes."""

    port: int
    nonce: str = "0123456789"
    acts: dict[str, Act] = field(default_factory=lambda: dict(GOOD))
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0
    open: int = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The page with the chat."""
        return f"{self.origin}/"

    def behave(self) -> None:
        """Answer correctly from now on."""
        self.acts.update(GOOD)

    async def flood(self, writer: asyncio.StreamWriter, piece: bytes, limit: int) -> None:
        """Send *piece* over and over, up to *limit* bytes, as fast as it is taken; counted in `sent`."""
        while self.sent < limit:
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        if head.startswith(b"GET /all/"):
            writer.write(response(self._page().encode(), b"Content-Type: text/html; charset=utf-8"))
            return
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        request = head + await reader.readexactly(length)
        action = next(action for action in (STEP_1, STEP_2, NONCE) if action.encode() in request)
        await self.acts[action](writer)
        await writer.drain()

    def _page(self) -> str:
        ajax_url = f"{self.origin}/wp-admin/admin-ajax.php"
        config = {"botId": 5, "ajaxUrl": ajax_url, "nonce": self.nonce, "headerName": "GPT-4o mini helper"}
        return f"<div data-config='{html.escape(json.dumps(config))}'></div>"


@asynccontextmanager
async def hostile_site() -> AsyncIterator[HostileSite]:
    """A site that answers correctly until `acts` is changed."""
    site = HostileSite(0)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        await server.wait_closed()
