"""A site that sends without end, or a client that takes nothing, costs a proxy little memory and stops by itself."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from tests.figures import figure
from tests.proxy.running import running_proxy
from tests.proxy.serving import ask
from tests.security.hostile_site import (
    ANSWER,
    DONE,
    EVENTS_HEAD,
    OPENING,
    STEP_1,
    STEP_2,
    Act,
    HostileSite,
    delta,
    hostile_site,
)
from tests.security.watched import WatchedProxy, watched_proxy

MB = 1024 * 1024
GB = 1024 * MB
MAX_GROWTH = (
    128 * MB
)  # an event may have 8 MB, an answer 4 million characters, each held a few times over, and the last flood
LATE = 60.0
EVENTS = EVENTS_HEAD + b"\r\n" + OPENING
BOMB = gzip.compress(bytes(16 * MB))  # 16 KB; one after the other they unpack to whatever one likes


@pytest.fixture
async def hostile() -> AsyncIterator[HostileSite]:
    async with hostile_site() as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield session


def flood(site: HostileSite, head: bytes, piece: bytes, *, limit: int = GB, end: bytes = b"") -> Act:
    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await site.flood(writer, piece, limit)
        writer.write(end)

    return act


Flood = Callable[[HostileSite], Act]
BLOCK = b"a" * 65536
HEAD_1 = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FLOODS: dict[str, tuple[str, Flood]] = {
    "a message of 1 GB as answer": (
        STEP_1,
        lambda site: flood(site, HEAD_1 + b"Content-Length: %d\r\n\r\n" % GB, BLOCK),
    ),
    "headers without end": (STEP_1, lambda site: flood(site, HEAD_1, b"X-A: b\r\n" * 1000)),
    "10,000 cookies": (STEP_1, lambda site: flood(site, HEAD_1, b"Set-Cookie: a=b\r\n" * 1000, limit=160_000)),
    "a compressed bomb as answer": (STEP_1, lambda site: flood(site, HEAD_1 + b"Content-Encoding: gzip\r\n\r\n", BOMB)),
    "a header without end": (STEP_2, lambda site: flood(site, EVENTS_HEAD + b"X-A: ", BLOCK)),
    "cookies without end": (STEP_2, lambda site: flood(site, EVENTS_HEAD, b"Set-Cookie: a=b\r\n" * 1000)),
    "an event of 1 GB": (STEP_2, lambda site: flood(site, EVENTS + b'data: {"delta":"', BLOCK)),
    "an event of endless lines": (STEP_2, lambda site: flood(site, EVENTS, b"data: x\n" * 8000)),
    "a comment of 64 MB": (STEP_2, lambda site: flood(site, EVENTS + b":", BLOCK, limit=64 * MB)),
    "events that add nothing": (
        STEP_2,
        lambda site: flood(site, EVENTS, b"event: status\ndata: {}\n\n" * 2000, limit=8 * MB),
    ),
    "a compressed bomb": (STEP_2, lambda site: flood(site, EVENTS_HEAD + b"Content-Encoding: gzip\r\n\r\n", BOMB)),
    "text without end": (STEP_2, lambda site: flood(site, EVENTS, delta("a" * 4000) * 16)),
    "text without end, in small pieces": (STEP_2, lambda site: flood(site, EVENTS, delta("a" * 20) * 1000)),
}


@pytest.mark.usefixtures("as_users_run_it")
async def test_floods_from_a_site_end_in_errors_and_in_little_memory(
    hostile: HostileSite, http: aiohttp.ClientSession, tmp_path: Path, free_port: int
) -> None:
    started = monotonic()
    async with watched_proxy(hostile, tmp_path / "data", free_port) as proxy:
        await good_answer(http, proxy)
        async with proxy.growth() as growth:
            for name, (action, make) in FLOODS.items():
                for stream in (False, True):
                    hostile.acts[action], hostile.sent = make(hostile), 0
                    status, text = await asyncio.wait_for(ask(http, free_port, "hi", stream=stream), LATE)
                    assert status == (200 if stream and "text" in name else 502), name
                    assert '"error"' in text, name
                    assert "[DONE]" not in text, name
                    hostile.behave()
                    await good_answer(http, proxy)
    figure("floods from a site", f"{2 * len(FLOODS)} in {monotonic() - started:.0f} s, memory +{growth[0] / MB:.0f} MB")
    assert growth[0] < MAX_GROWTH


async def good_answer(http: aiohttp.ClientSession, proxy: WatchedProxy) -> str:
    """The body of one good answer."""
    status, text = await ask(http, proxy.port, "hi", stream=False)
    assert status == 200, text
    assert ANSWER in text
    return text


@pytest.mark.usefixtures("as_users_run_it")
async def test_what_follows_the_end_of_an_answer_is_thrown_away(
    hostile: HostileSite, http: aiohttp.ClientSession, tmp_path: Path, free_port: int
) -> None:
    hostile.acts[STEP_2] = flood(hostile, EVENTS + delta(ANSWER) + DONE, BLOCK, limit=1000 * GB)
    async with watched_proxy(hostile, tmp_path / "data", free_port) as proxy, proxy.growth() as growth:
        await good_answer(http, proxy)
        assert (await ask(http, free_port, "hi"))[1].endswith("data: [DONE]\n\n")
        await wait_until(lambda: hostile.open == 0)
    assert growth[0] < MAX_GROWTH


async def test_text_that_comes_no_faster_than_it_is_read_has_an_end_too(
    hostile: HostileSite, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async def paced(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        for _ in range(2000):
            writer.write(delta("a" * 8000))
            await writer.drain()
            await asyncio.sleep(0.001)

    hostile.acts[STEP_2] = paced
    async with running_proxy(hostile, tmp_path) as proxy:
        _, text = await asyncio.wait_for(ask(http, int(proxy.url.rpartition(":")[2]), "hi"), LATE)

    assert "its answer does not end" in text[-1000:]
    assert len(text) < 6 * MB


@pytest.mark.usefixtures("as_users_run_it")
async def test_a_client_that_leaves_an_endless_answer_ends_it(
    hostile: HostileSite, http: aiohttp.ClientSession, tmp_path: Path, free_port: int
) -> None:
    hostile.acts[STEP_2] = flood(hostile, EVENTS, b": nothing\n\n" * 1000)
    async with watched_proxy(hostile, tmp_path / "data", free_port) as proxy, proxy.growth() as growth:
        for stream in (False, True):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(http, free_port, "hi", stream=stream), 2.0)
            await wait_until(lambda: hostile.open == 0)
        hostile.behave()
        await good_answer(http, proxy)
    assert growth[0] < MAX_GROWTH


@pytest.mark.usefixtures("as_users_run_it")
async def test_a_client_that_reads_nothing_holds_back_the_site_and_is_dropped(
    hostile: HostileSite, http: aiohttp.ClientSession, tmp_path: Path, free_port: int
) -> None:
    async with watched_proxy(hostile, tmp_path / "data", free_port, module="tests.security.short_limits") as proxy:
        await good_answer(http, proxy)
        hostile.acts[STEP_2] = flood(hostile, EVENTS, delta("汉" * 1000) * 8)
        async with proxy.growth() as growth:
            clients = [idle_reader(free_port) for _ in range(4)]
            await wait_until(lambda: hostile.open == len(clients))
            sent = await sent_until_stalled(hostile)
            assert hostile.open == len(clients)
            await wait_until(lambda: hostile.open == 0)
        hostile.behave()
        await good_answer(http, proxy)
        for client in clients:
            client.close()
    figure("4 clients that read nothing", f"{sent / MB:.0f} MB taken from the site, memory +{growth[0] / MB:.0f} MB")
    assert growth[0] < MAX_GROWTH


async def sent_until_stalled(hostile: HostileSite) -> int:
    """The bytes it has sent once sending stalls: once nothing was sent for half a second."""
    async with asyncio.timeout(LATE):
        sent = -1
        while sent != hostile.sent:
            sent = hostile.sent
            await asyncio.sleep(0.5)
    return sent


def idle_reader(port: int) -> socket.socket:
    """A client that asks for a stream and never reads a byte of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    body = b'{"model":"gpt-4o-mini-helper","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.sendall(head + body)
    return client


async def wait_until(done: Callable[[], bool]) -> None:
    """Wait until *done*; fails the test if that takes too long."""
    async with asyncio.timeout(LATE):
        while not done():
            await asyncio.sleep(0.02)
