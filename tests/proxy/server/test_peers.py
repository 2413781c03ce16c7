"""Workers that share a port: each reports the metrics of all."""

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

import proxy.server.peers
from proxy.server.peers import PeerWorkers
from proxy.usage.worker_stats import SiteLoad, WorkerStats, total_load
from shared.serialization import to_json
from tests.proxy.serving import ask, serving
from tests.proxy.usage.test_metrics import sample_sum
from tests.site import SimulatedSite

SITE = "https://chat.example"


def telling(worker: str, *, count: int = 1) -> Callable[[], WorkerStats]:
    """A worker with *count* streams."""
    load = SiteLoad(site=SITE, open=count, queued=2, breaker="closed", cooldown=0.0)
    return lambda: WorkerStats(worker=worker, totals=[("m", SITE, {"requests": count})], sites=[load])


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def listening(stack: AsyncExitStack, port: int, *names: str) -> list[PeerWorkers]:
    """Workers that share *port*."""
    found = [PeerWorkers(telling(name)) for name in names]
    for each in found:
        await stack.enter_async_context(each.listening("127.0.0.1", port))
    return found


async def test_metrics_cover_all_workers_of_the_port_and_no_others(stack: AsyncExitStack, free_port: int) -> None:
    one, two, three = await listening(stack, free_port, "1", "2", "3")
    [other] = await listening(stack, 0, "of another port")
    alone = PeerWorkers(telling("that shares none"))

    for each, expected in ((one, "1"), (two, "2"), (three, "3")):
        answer = await each.all()
        assert answer[0].worker == expected
        assert sorted(numbers.worker for numbers in answer) == ["1", "2", "3"]
    assert [numbers.worker for numbers in await other.all()] == ["of another port"]
    assert [numbers.worker for numbers in await alone.all()] == ["that shares none"]


async def test_a_worker_that_exited_is_dropped(stack: AsyncExitStack, free_port: int) -> None:
    [stays] = await listening(stack, free_port, "1")
    async with AsyncExitStack() as inner:
        await listening(inner, free_port, "2")
        assert len(await stays.all()) == 2

    assert len(await stays.all()) == 1


@pytest.mark.parametrize("says", [b"", b"{}", b"\xff", b'{"worker": "1", "totals": 5, "sites": []}'])
async def test_a_worker_with_an_invalid_reply_is_skipped(stack: AsyncExitStack, free_port: int, says: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        writer.close()

    [one] = await listening(stack, free_port, "1")
    liar = socket.socket(socket.AF_UNIX)
    liar.bind(f"\0freeaichat/127.0.0.1:{free_port}/liar")
    await stack.enter_async_context(await asyncio.start_unix_server(answer, sock=liar))

    assert [numbers.worker for numbers in await one.all()] == ["1"]


async def test_a_silent_worker_times_out(
    stack: AsyncExitStack, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.server.peers, "PATIENCE_SECONDS", 0.1)
    one, two = await listening(stack, free_port, "1", "2")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"\0freeaichat/127.0.0.1:{free_port}/silent")
        silent.listen()
        async with asyncio.timeout(2):
            assert [numbers.worker for numbers in await one.all()] == ["1", "2"]
            assert [numbers.worker for numbers in await two.all()] == ["2", "1"]


async def test_a_worker_that_asks_and_does_not_read_is_dropped(
    stack: AsyncExitStack, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.server.peers, "PATIENCE_SECONDS", 0.1)
    await listening(stack, free_port, "1" * 5_000_000)  # more than a socket takes
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + proxy.server.peers._names(f"freeaichat/127.0.0.1:{free_port}/")[0])
        connection.setblocking(False)
        await asyncio.sleep(0.5)
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        assert len(await reader.read()) < 5_000_000
        writer.close()


async def test_processes_of_other_users_get_nothing_and_are_not_asked(
    stack: AsyncExitStack, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(to_json(telling("stranger")()).encode())
        writer.close()

    one, _ = await listening(stack, free_port, "1", "2")
    stranger = socket.socket(socket.AF_UNIX)
    stranger.bind(f"\0freeaichat/127.0.0.1:{free_port}/zz")  # behind the names of the others
    await stack.enter_async_context(await asyncio.start_unix_server(answer, sock=stranger))
    assert [numbers.worker for numbers in await one.all()] == ["1", "2", "stranger"]
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    name = proxy.server.peers._names(f"freeaichat/127.0.0.1:{free_port}/")[0]
    await asyncio.get_running_loop().sock_connect(connection, f"\0{name}")
    reader, writer = await asyncio.open_unix_connection(sock=connection)

    assert await reader.read() == b""
    assert [numbers.worker for numbers in await one.all()] == ["1"]
    writer.close()


async def test_where_no_such_socket_can_be_each_tells_of_itself(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "x" * 200)  # longer than a name may be
    one = PeerWorkers(telling("1"))
    async with one.listening("127.0.0.1", free_port):
        assert [numbers.worker for numbers in await one.all()] == ["1"]


async def test_where_the_others_cannot_be_found_each_tells_of_itself(
    stack: AsyncExitStack, free_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, _ = await listening(stack, free_port, "1", "2")
    monkeypatch.setattr(proxy.server.peers, "_SOCKETS", tmp_path / "none")

    assert [numbers.worker for numbers in await one.all()] == ["1"]


def test_loads_are_summed_and_the_worst_learned_state_is_reported() -> None:
    first = SiteLoad(site=SITE, open=1, queued=2, breaker="half_open", cooldown=5.0)
    second = SiteLoad(site=SITE, open=3, queued=0, breaker="open", cooldown=0.0)
    other = SiteLoad(site="https://other.example", open=9, queued=9, breaker="closed", cooldown=9.0)
    workers = [WorkerStats(worker=str(at), totals=[], sites=[load, other]) for at, load in enumerate((first, second))]

    assert total_load(SITE, workers) == SiteLoad(site=SITE, open=4, queued=2, breaker="open", cooldown=5.0)
    assert total_load("https://unknown.example", workers).open == 0


async def test_metrics_and_status_of_real_workers_tell_of_all(
    site: SimulatedSite, tmp_path: Path, free_port: int
) -> None:
    async with (
        serving(site, tmp_path, free_port, FREEAICHAT_WORKERS="2", FREEAICHAT_MAX_UPSTREAM="12") as process,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as http,
        aiohttp.ClientSession(f"http://127.0.0.1:{free_port}") as kept,  # one connection, to one worker
    ):
        await asyncio.gather(*(ask(http, free_port, "hi", stream=False) for _ in range(24)))
        held = [asyncio.create_task(ask(http, free_port, "[[tokens:40]] [[delay:0.05]]")) for _ in range(12)]
        async with asyncio.timeout(20):
            while site.open_streams < 12:
                await asyncio.sleep(0.01)
        async with kept.get("/metrics") as response:
            text = await response.text()
        async with kept.get("/admin/status") as response:
            status = await response.json()
        await asyncio.gather(*held)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0

    assert sample_sum(text, "freeaichat_requests_total", outcome="ok") == 24
    assert sample_sum(text, "freeaichat_open_streams") == 12
    assert len({line for line in text.splitlines() if line.startswith("freeaichat_open_streams{")}) == 2
    assert (status["open_streams"], status["sites"][0]["open_streams"]) == (12, 12)
