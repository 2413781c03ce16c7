"""Proxies and harvesters that share a store in Redis, as if each ran on a machine of its own."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest

from shared.store import open_store
from tests.cli.processes import clean_environment
from tests.conftest import a_free_port
from tests.end_to_end.running_up import running_up
from tests.redis_server import RedisServer, running_redis
from tests.site.process import running_site

MODEL = "gpt-4o-mini-helper"
READY_SECONDS = 30.0
STOP_SECONDS = 10.0


class Machine:
    """A machine on which one service runs: with its own data, temporary files and port."""

    def __init__(self, directory: Path, site_url: str, store_url: str) -> None:
        self.port = a_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        temporary = directory / "tmp"
        temporary.mkdir(parents=True)
        more = {"FREEAICHAT_STORE": store_url, "TMPDIR": str(temporary)}
        self.environment = clean_environment(directory / "data", site_url, self.port, **more)
        self.log = directory / "log"

    @asynccontextmanager
    async def running(self, service: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """`python -m SERVICE`, stopped at the end."""
        with self.log.open("a") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", service), env=self.environment, stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def status(http: aiohttp.ClientSession, url: str) -> int:
    """The HTTP status of *url*; 0 where nobody answers."""
    with suppress(aiohttp.ClientError):
        async with http.get(url) as response:
            return response.status
    return 0


async def ready(http: aiohttp.ClientSession, machine: Machine) -> None:
    """Wait until the proxy there can answer requests."""
    deadline = monotonic() + READY_SECONDS
    while await status(http, f"{machine.url}/readyz") != 200:
        assert monotonic() < deadline, machine.log.read_text()
        await asyncio.sleep(0.05)


async def chat(http: aiohttp.ClientSession, machine: Machine, text: str, **fields: str) -> tuple[int, Any]:
    """The status and the answer's text, or the error's code."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}
    async with http.post(f"{machine.url}/v1/chat/completions", json=body) as response:
        found = await response.json()
        if response.status == 200:
            return 200, found["choices"][0]["message"]["content"]
        return response.status, found["error"]["code"]


@pytest.fixture
def machines(tmp_path: Path) -> list[Path]:
    """Directories for four machines."""
    return [tmp_path / f"machine-{number}" for number in range(4)]


async def test_two_proxies_and_two_harvesters_share_one_visitor_and_all_conversations(
    machines: list[Path], own_redis: RedisServer
) -> None:
    async with running_site() as site, AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        here = [Machine(directory, site.url, own_redis.url) for directory in machines]
        for machine, service in zip(here, ("proxy", "proxy", "harvester", "harvester"), strict=True):
            await stack.enter_async_context(machine.running(service))
        one, two = here[:2]
        await ready(http, one)
        await ready(http, two)
        async with open_store(own_redis.url) as store, asyncio.timeout(READY_SECONDS):
            while not await store.visits():
                await asyncio.sleep(0.05)

        async with http.post(f"{one.url}/v1/conversations") as response:
            conversation = (await response.json())["id"]
        assert (await chat(http, one, "my name is Ada", conversation_id=conversation))[0] == 200
        _, recalled = await chat(http, two, "[[recall]]", conversation_id=conversation)
        assert "my name is Ada" in recalled

        own_redis.kill()
        assert (await chat(http, one, "hi"))[0] == 200  # with the credentials it knows
        assert await chat(http, one, "hi", conversation_id=conversation) == (503, "store_unavailable")
        own_redis.start()
        _, recalled = await chat(http, one, "[[recall]]", conversation_id=conversation)
        assert "my name is Ada" in recalled

        async with open_store(own_redis.url) as store:
            visits = await store.visits()
        logs = "".join(machine.log.read_text() for machine in here)
    assert len(visits) == 1, visits
    assert "Traceback" not in logs, logs


async def test_up_waits_for_a_redis_that_starts_after_it(tmp_path: Path, free_port: int) -> None:
    store_url = f"redis://:sesame@127.0.0.1:{free_port}/3"
    async with running_site() as site, running_up(site.url, tmp_path, FREEAICHAT_STORE=store_url) as up:
        await up.printed("waiting up to")
        with running_redis(tmp_path / "redis", free_port, "--requirepass", "sesame"):
            await up.ready()
            answer = await up.chat("hi")
            begun = monotonic()
            assert await up.stop() == 0
            assert monotonic() - begun < STOP_SECONDS

    printed = "".join(up.output)
    assert answer["choices"][0]["message"]["content"].startswith("[gpt-4o-mini] You said: hi")
    assert "sesame" not in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("service", ["proxy", "harvester"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_that_waits_for_its_store_can_be_stopped(
    tmp_path: Path, free_port: int, service: str, number: int
) -> None:
    machine = Machine(tmp_path, "http://127.0.0.1:9/", f"redis://127.0.0.1:{free_port}")
    async with machine.running(service) as process:
        deadline = monotonic() + READY_SECONDS
        while str(free_port) not in machine.log.read_text():
            assert monotonic() < deadline
            await asyncio.sleep(0.05)
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 3.0) == 0
    assert "Traceback" not in machine.log.read_text()
