"""Clients that are slow, flood, or send invalid HTTP are cut off or refused, and others are served as before."""

import asyncio
import gzip
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import aiohttp
import brotli
import pytest

from tests.figures import figure
from tests.proxy.serving import ask
from tests.security.raw import request, send
from tests.security.short_limits import FEW_FILES
from tests.security.watched import WatchedProxy, watched_proxy
from tests.site import SimulatedSite

MB = 1024 * 1024
IDLE_CONNECTIONS = 1000
CHAT = "/v1/chat/completions"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


@pytest.fixture
async def proxy(
    site: SimulatedSite, tmp_path: Path, free_port: int, as_users_run_it: None
) -> AsyncIterator[WatchedProxy]:
    """One with short limits."""
    async with watched_proxy(site, tmp_path / "data", free_port, module="tests.security.short_limits") as running:
        yield running


MALFORMED = {
    "a length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a signed length": POST + b"Content-Length: +4\r\n\r\nabcd",
    "a coding that is not chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a chunk that is no number": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n",
    "a header with a blank before its colon": POST + b"Content-Length : 4\r\n\r\nabcd",
    "a folded header": POST + b"X-A: b\r\n Content-Length: 4\r\n\r\nabcd",
    "a lone carriage return": POST + b"X-A: b\rContent-Length: 4\r\n\r\n",
    "a NUL": POST + b"X-A: b\0c\r\n\r\n",
    "two hosts": b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "a host that is no name": b"GET http://xn--a/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bare line feeds": b"GET /v1/models HTTP/1.1\nHost: localhost\n\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "noise": bytes(range(256)) * 8,
    "a header of 1 MB": POST + b"X-A: " + b"a" * MB + b"\r\n\r\n",
    "5,000 headers": POST + b"X-A: b\r\n" * 5000 + b"\r\n",
    "a path of 1 MB": b"GET /" + b"a" * MB + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method without end": b"A" * MB,
}


async def test_malformed_requests_are_400_and_one_line_in_the_log(
    proxy: WatchedProxy, http: aiohttp.ClientSession
) -> None:
    for number, (name, data) in enumerate(MALFORMED.items()):
        lines = proxy.log.count("\n")
        answer = await send(proxy.port, data)
        assert answer.status in {400, 0}, name  # 0: reset while it was still sending, or closed
        await http.get(f"{proxy.url}/v1/models/after-{number}")
        async with asyncio.timeout(5):
            while f"after-{number}" not in proxy.log:
                await asyncio.sleep(0.01)
        assert proxy.log.count("\n") - lines <= 2, name
    assert "Traceback" not in proxy.log
    assert (await ask(http, proxy.port, "hi"))[0] == 200


async def test_what_follows_a_malformed_request_is_not_answered(proxy: WatchedProxy) -> None:
    smuggled = request("GET", "/v1/models")
    for data in (MALFORMED["a length and chunks"], MALFORMED["two lengths"], MALFORMED["a coding after chunked"]):
        answer = await send(proxy.port, data + smuggled)
        assert answer.body.count(b"HTTP/1.") == 0
        assert b"gpt-4o" not in answer.body


async def test_pipelined_requests_are_answered_in_order_and_nothing_after_garbage(proxy: WatchedProxy) -> None:
    first, second = (b"GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % name for name in (b"one", b"two"))

    both = (await send(proxy.port, first + second)).body
    assert both.index(b"'one'") < both.index(b"'two'")
    spoiled = await send(proxy.port, first + b"\0garbage\r\n\r\n" + second)
    assert b"'two'" not in spoiled.body


async def test_a_request_that_does_not_come_is_cut(proxy: WatchedProxy, http: aiohttp.ClientSession) -> None:
    started = monotonic()
    silent = send(proxy.port, b"")
    headers = answer_to_drips(proxy.port, b"GET /v1/models HTTP/1.1\r\n", b"X-A: b\r\n")
    (nothing, half) = await asyncio.gather(silent, headers)

    assert (nothing.status, half) == (0, b"")
    assert monotonic() - started < 10
    assert (await ask(http, proxy.port, "hi"))[0] == 200


async def test_a_body_that_drips_in_is_408(proxy: WatchedProxy, http: aiohttp.ClientSession) -> None:
    for path in (CHAT, "/v1/responses", "/v1/conversations", "/v1/conversations/conv_1/items", "/v1/conversations/x"):
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n" % path.encode()
        answer = await answer_to_drips(proxy.port, head, b" ")
        assert answer.startswith(b"HTTP/1.1 408"), path
        error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert error["code"] == "request_timeout"
    broken = await answer_to_drips(proxy.port, POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", b"zz\r\n")
    assert broken.startswith((b"HTTP/1.1 408", b"HTTP/1.0 400"))
    assert (await ask(http, proxy.port, "hi"))[0] == 200


async def test_compressed_bombs_are_413_and_unpacked_no_further_than_a_body_may_be(
    proxy: WatchedProxy, http: aiohttp.ClientSession
) -> None:
    bombs = {b"gzip": gzip.compress(bytes(16 * MB)) * 64, b"br": brotli.compress(bytes(256 * MB), quality=1)}
    async with proxy.growth() as growth:
        for coding, bomb in bombs.items():
            answer = await send(proxy.port, request("POST", CHAT, b"Content-Encoding: " + coding, body=bomb))
            assert answer.status == 413, coding
            assert json.loads(answer.body)["error"]["code"] == "request_too_large"

    assert growth[0] < 3 * 32 * MB
    assert (await ask(http, proxy.port, "hi"))[0] == 200


async def test_many_bombs_at_once_take_no_more_memory_than_a_few(
    proxy: WatchedProxy, http: aiohttp.ClientSession
) -> None:
    body = request("POST", CHAT, b"Content-Encoding: br", body=brotli.compress(b" " * (31 * MB), quality=1))
    async with proxy.growth() as growth:
        answers = await asyncio.gather(*(send(proxy.port, body) for _ in range(24)))

    figure("24 bodies at once that unpack to 31 MB each", f"memory +{growth[0] / MB:.0f} MB")
    assert {answer.status for answer in answers} == {400}
    assert growth[0] < 8 * 32 * MB
    assert (await ask(http, proxy.port, "hi"))[0] == 200


async def test_a_thousand_idle_connections_cost_little_and_keep_nobody_out(
    proxy: WatchedProxy, http: aiohttp.ClientSession
) -> None:
    allow_files(IDLE_CONNECTIONS + 500)
    assert FEW_FILES < IDLE_CONNECTIONS
    assert (await ask(http, proxy.port, "hi"))[0] == 200
    async with proxy.growth() as growth:
        opened = await asyncio.gather(*(idle(proxy.port) for _ in range(IDLE_CONNECTIONS)))
        started = monotonic()
        assert (await ask(http, proxy.port, "hi"))[0] == 200
        seconds = monotonic() - started
        await asyncio.gather(*(reader.read() for reader, _ in opened))  # all are cut in the end
    for _, writer in opened:
        writer.close()
    figure(
        f"{IDLE_CONNECTIONS} idle connections", f"memory +{growth[0] / MB:.0f} MB, a turn beside them {seconds:.2f} s"
    )
    assert growth[0] < 64 * MB
    assert (await ask(http, proxy.port, "hi"))[0] == 200


async def idle(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: loc")
    return reader, writer


async def answer_to_drips(port: int, head: bytes, drop: bytes) -> bytes:
    """All that comes back while *drop* is sent again and again after *head*."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)

    async def drip() -> None:
        while True:
            await asyncio.sleep(0.1)
            writer.write(drop)

    task = asyncio.create_task(drip())
    try:
        return await asyncio.wait_for(reader.read(65536), 20)
    except ConnectionResetError:
        return b""
    finally:
        task.cancel()
        writer.close()


def allow_files(count: int) -> None:
    """Let this process have *count* open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
