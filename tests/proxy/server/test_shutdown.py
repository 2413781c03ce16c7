"""SIGTERM: open requests may finish, others get an error, and another worker takes over without a failed request."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import aiohttp
import psutil
import pytest

from proxy.server.listening import stop_listening
from tests.figures import figure
from tests.proxy.serving import ask, fill_store, log_of, serving, starts
from tests.site import SimulatedSite


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        yield session


async def streams_open(site: SimulatedSite, count: int) -> None:
    async with asyncio.timeout(20):
        while site.open_streams < count:
            await asyncio.sleep(0.01)


async def queued_up(http: aiohttp.ClientSession, port: int, count: int) -> None:
    """Wait until *count* requests are queued for a slot of the site."""
    async with asyncio.timeout(20):
        while True:
            async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
                if (await response.json())["sites"][0]["queued"] == count:
                    return
            await asyncio.sleep(0.01)


async def told_to_end(port: int) -> None:
    """Wait until the proxy accepts no more connections after its SIGTERM."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_an_open_stream_completes(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession, number: signal.Signals
) -> None:
    async with serving(site, tmp_path, free_port) as process:
        turn = asyncio.create_task(ask(http, free_port, "[[tokens:20]] [[delay:0.05]]"))
        await streams_open(site, 1)
        process.send_signal(number)
        status, text = await turn
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(http, free_port, "hi")

        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert status == 200
    assert text.endswith("data: [DONE]\n\n")


async def test_requests_cut_at_the_deadline_are_reported(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    settings = {"FREEAICHAT_SHUTDOWN_TIMEOUT": "0.5", "FREEAICHAT_MAX_UPSTREAM": "1"}
    async with serving(site, tmp_path, free_port, **settings) as process:
        active = asyncio.create_task(ask(http, free_port, "[[tokens:2000]] [[delay:0.05]]"))
        await streams_open(site, 1)
        queued = [asyncio.create_task(ask(http, free_port, "hi", stream=stream)) for stream in (True, False)]
        await queued_up(http, free_port, len(queued))
        process.send_signal(signal.SIGTERM)
        status, text = await active
        refused = await asyncio.gather(*queued)

        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert status == 200
    assert '"code":"stopping"' in text.rpartition("data: ")[2]
    assert "[DONE]" not in text
    for status, text in refused:
        assert status == 503
        assert json.loads(text)["error"]["code"] == "stopping"
    assert log_of(tmp_path).read_text().count("error=stopping") == 3


async def test_queued_requests_are_answered_if_time_allows(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    async with serving(site, tmp_path, free_port, FREEAICHAT_MAX_UPSTREAM="1") as process:
        active = asyncio.create_task(ask(http, free_port, "[[tokens:10]] [[delay:0.05]]"))
        await streams_open(site, 1)
        queued = asyncio.create_task(ask(http, free_port, "hi", stream=False))
        await queued_up(http, free_port, 1)
        process.send_signal(signal.SIGTERM)

        assert (await active)[0] == (await queued)[0] == 200
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_second_signal_ends_it_at_once(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    async with serving(site, tmp_path, free_port, FREEAICHAT_SHUTDOWN_TIMEOUT="60") as process:
        active = asyncio.create_task(ask(http, free_port, "[[tokens:2000]] [[delay:0.05]]"))
        await streams_open(site, 1)
        process.send_signal(signal.SIGTERM)
        await told_to_end(free_port)
        since = monotonic()
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert monotonic() - since < 5
        assert "stopping" in (await active)[1]


async def test_a_site_that_refused_to_connect_does_not_spoil_the_end(
    tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    async with SimulatedSite() as gone:
        await fill_store(tmp_path, gone)
    async with serving(gone, tmp_path, free_port) as process:
        status, _ = await ask(http, free_port, "hi", stream=False)
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert status >= 500
    assert "Traceback" not in log_of(tmp_path).read_text()


async def test_workers_take_over_from_each_other_without_a_failed_request(
    site: SimulatedSite, tmp_path: Path, free_port: int, http: aiohttp.ClientSession
) -> None:
    answered, failed = 0, []
    done = asyncio.Event()

    async def client() -> None:
        nonlocal answered
        while not done.is_set():
            try:
                status, text = await ask(http, free_port, "[[tokens:3]]")
            except aiohttp.ClientError as error:
                failed.append(repr(error))
                continue
            if status != 200 or not text.endswith("data: [DONE]\n\n"):
                failed.append(f"{status} {text[-200:]}")
            answered += 1

    async with serving(site, tmp_path, free_port, FREEAICHAT_WORKERS="2") as supervisor:
        clients = [asyncio.create_task(client()) for _ in range(8)]
        for count, worker in enumerate(psutil.Process(supervisor.pid).children(), 3):
            worker.terminate()
            async with asyncio.timeout(20):
                while starts(tmp_path) < count:
                    await asyncio.sleep(0.02)
        done.set()
        await asyncio.gather(*clients)

    figure("rolling restart of two workers", f"{len(failed)} of {answered} requests failed")
    assert not failed
    assert answered > 20


def test_a_socket_that_the_system_does_not_shut_down_is_no_obstacle() -> None:
    """As none that listens is on macOS; here one that does not listen is not."""
    with socket.socket() as listener:
        assert stop_listening([listener]) == []
