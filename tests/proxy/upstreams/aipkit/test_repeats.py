"""A connection that breaks before the answer: the request may have been executed, and is not repeated."""

import asyncio
from contextlib import suppress
from pathlib import Path

from tests.proxy.running import running_proxy
from tests.security.hostile_site import NONCE, STEP_1, STEP_2, HostileSite, json_answer

KEY = json_answer({"success": True, "data": {"cache_key": "aipkit_sse_0123456789"}}).replace(
    b"Connection: close\r\n", b""
)
LOST = b'event: error\ndata: {"error":"Message not found in cache."}\n\nevent: done\ndata: {"finished":true}\n\n'
LOST_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s" % (len(LOST), LOST)


class KeepingSite(HostileSite):
    """A site that keeps connections; the first reply request consumes the message and gets an end."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the other side, or `acts`, ends the connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                await self._answer(reader, writer)
        writer.transport.abort()


async def test_a_turn_that_may_have_been_answered_is_not_asked_again(tmp_path: Path) -> None:
    async def step_1(writer: asyncio.StreamWriter) -> None:
        writer.write(KEY)

    async def step_2(writer: asyncio.StreamWriter) -> None:
        if sum(STEP_2.encode() in head for head in site.requests) == 1:
            await asyncio.sleep(0.2)
            writer.close()
        else:
            writer.write(LOST_ANSWER)

    site = KeepingSite(0)
    site.acts = {STEP_1: step_1, STEP_2: step_2, NONCE: step_1}
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server, running_proxy(site, tmp_path) as proxy:
        answer = await proxy.chat("hi")

    assert (answer.status, answer.code) == (502, "upstream_truncated")
    assert sum(head.startswith(b"POST") for head in site.requests) == 1
