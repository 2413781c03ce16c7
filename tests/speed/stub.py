"""The stub upstream of every target: a site with the chat plugin (its two requests), and an OpenAI server.

`python -m tests.speed.stub PORT`. Each token is a write of its own, as a site sends them.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from time import monotonic_ns

import uvloop

from tests.speed.wire import Order, read_order, token

_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_OPENAI = (
    b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1700000000,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
)
_SITE = b'data: {"delta":"%b"}\n\n'
_SITE_END = b'data: {"finished":true}\n\nevent: done\ndata: {"finished":true}\n\n'
_OPENAI_END = b"data: [DONE]\n\n"
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n%b"
_MODELS = b'{"object":"list","data":[{"id":"m","object":"model"}]}'


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Stub(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._held = b""
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, end, body = self._held.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
        if len(body) < int(length or 0):
            return
        self._held = b""
        self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /v1/models"):
            self._transport.write(_JSON % (len(_MODELS), _MODELS))
        elif head.startswith(b"GET "):
            self._stream(read_order(head), _SITE, _SITE_END)
        elif b"/chat/completions" in head.partition(b"\r\n")[0]:
            self._stream(read_order(body), _OPENAI, _OPENAI_END)
        else:
            key = read_order(body).message
            content = json.dumps({"success": True, "data": {"cache_key": key}}).encode()
            self._transport.write(_JSON % (len(content), content))

    def _stream(self, order: Order, shape: bytes, end: bytes) -> None:
        self._transport.write(_STREAM)
        self._loop.call_soon(self._pace, iter(range(order.tokens)), self._loop.time(), order.pause / 1e6, shape, end)

    def _pace(self, numbers: Iterator[int], at: float, pause: float, shape: bytes, end: bytes) -> None:
        if self._transport.is_closing():
            return
        number = next(numbers, None)
        if number is None:
            self._end(end)
            return
        self._transport.write(_chunk(shape % token(number, monotonic_ns())))
        if pause:
            self._loop.call_at(at + pause, self._pace, numbers, at + pause, pause, shape, end)
        else:
            self._loop.call_soon(self._pace, numbers, at, pause, shape, end)

    def _end(self, end: bytes) -> None:
        self._transport.write(_chunk(end) + b"0\r\n\r\n")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
