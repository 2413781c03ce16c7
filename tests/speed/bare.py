"""The least that a gateway of this kind can do: what remains of the proxy without its work. `… PORT STUB_PORT`

aiohttp's server, the site client, both requests of a turn and one format written as the other: no keys, no models, no
memory, no limits, no usage, no failover and no log. What it costs cannot be saved in the proxy.
"""

import asyncio
import sys
from collections.abc import Iterator

import orjson
import uvloop
from aiohttp import web

from shared.site_client.client import SiteClient, StreamResponse

TIMEOUT = 60.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CHUNK = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":%b}}]}\n\n'
END = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
)


def texts(held: bytearray) -> Iterator[str]:
    """Take the texts of the events that are whole out of *held*."""
    while (end := held.find(b"\n\n")) >= 0:
        event = bytes(held[:end])
        del held[: end + 2]
        if event.startswith(b"data: {"):
            yield orjson.loads(event[6:]).get("delta", "")


class BareGateway:
    """Its one handler, with the site's address."""

    def __init__(self, client: SiteClient, stub_port: int) -> None:
        self._client = client
        self._ajax = f"http://127.0.0.1:{stub_port}/wp-admin/admin-ajax.php"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One chat completion, streamed or whole."""
        asked = orjson.loads(await request.read())
        message = asked["messages"][-1]["content"].encode()
        stored = await self._client.post(self._ajax, b"message=" + message, FORM, timeout=TIMEOUT)
        key = orjson.loads(stored.body)["data"]["cache_key"]
        async with self._client.stream(f"{self._ajax}?cache_key={key}", {}, idle_timeout=TIMEOUT) as reply:
            return await (self._stream(request, reply) if asked.get("stream") else self._whole(reply))

    async def _stream(self, request: web.Request, reply: StreamResponse) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        held = bytearray()
        async for piece in reply.body:
            held += piece
            if chunks := b"".join(CHUNK % orjson.dumps(text) for text in texts(held)):
                if not response.prepared:
                    await response.prepare(request)
                await response.write(chunks)
        await response.write(END)
        return response

    async def _whole(self, reply: StreamResponse) -> web.Response:
        held = bytearray()
        said: list[str] = []
        async for piece in reply.body:
            held += piece
            said += texts(held)
        choice = {"index": 0, "message": {"role": "assistant", "content": "".join(said)}, "finish_reason": "stop"}
        return web.Response(
            body=orjson.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}),
            content_type="application/json",
        )


async def _serve(port: int, stub_port: int) -> None:
    async with SiteClient() as client:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", BareGateway(client, stub_port).answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(*map(int, sys.argv[1:])))
