"""A server of pictures on this machine, and pictures."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address

from aiohttp import web

from proxy.api.images.addresses import Address, is_public

PNG = b"\x89PNG\r\n\x1a\n" + b"a picture"
JPEG = b"\xff\xd8\xff\xe0" + b"another one"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
GIF = b"GIF89a\x01\x00\x01\x00"
HERE = IPv4Address("127.0.0.1")


def public_or_here(address: Address) -> bool:
    """The real rule, with one exception for the servers of tests."""
    return address == HERE or is_public(address)


class PictureServer:
    """Serves what `bodies` holds by path, and misbehaves below `/odd/`. `seen` holds the requests as they came."""

    def __init__(self) -> None:
        self.bodies = {"/one.png": PNG, "/two.jpg": JPEG, "/three.webp": WEBP, "/page": b"<!doctype html><p>Hello"}
        self.hits: Counter[str] = Counter()
        self.seen: list[web.BaseRequest] = []
        self.sent_bytes = 0
        self.endings: asyncio.Queue[str] = asyncio.Queue()  # of bodies that take long: the paths, when they ended
        self.is_slow = asyncio.Event()  # a body that takes long has begun
        self.port = 0

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """What is at the request's path."""
        self.hits[request.path] += 1
        self.seen.append(request)
        if request.path == "/odd/to":
            return web.Response(
                status=int(request.query.get("status", 302)), headers={"Location": request.query["url"]}
            )
        if request.path == "/odd/round":
            return web.Response(status=302, headers={"Location": f"/odd/round?{len(self.seen)}"})
        if request.path == "/odd/nowhere":
            return web.Response(status=302)
        if request.path in {"/odd/endless", "/odd/slow", "/odd/announced", "/odd/broken"}:
            return await self._misbehave(request)
        if request.path == "/odd/none-beside-slow":
            await self.is_slow.wait()
        body = self.bodies.get(request.path)
        if body is None:
            return web.Response(status=404)
        response = web.Response(body=body, content_type="text/plain", headers={"Set-Cookie": "seen=1"})
        if request.path == "/squeezed":
            response.headers["Content-Encoding"] = "gzip"
        return response

    async def _misbehave(self, request: web.BaseRequest) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        response = web.StreamResponse()
        if kind in {"announced", "broken"}:
            response.content_length = 1 << 40 if kind == "announced" else 1000
        try:
            await response.prepare(request)
            await response.write(PNG)
            while kind == "endless":
                await response.write(b"x" * 65536)
                self.sent_bytes += 65536
            if kind == "slow":
                self.is_slow.set()
            if kind != "broken":
                await asyncio.sleep(60)
        finally:
            self.endings.put_nowait(request.path)
        assert request.transport is not None
        request.transport.close()
        return response


@asynccontextmanager
async def picture_server(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[PictureServer]:
    """A running server."""
    server = PictureServer()
    runner = web.ServerRunner(web.Server(server.answer, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, host, port)
        await listener.start()
        server.port = listener.port
        yield server
    finally:
        await runner.cleanup()
