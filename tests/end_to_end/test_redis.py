"""Proxies and harvesters that share a store in Redis, as if each ran on a machine of its own."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from shared.store import open_store
from tests.end_to_end.machines import READY_SECONDS, STOP_SECONDS, Machine, chat, ready
from tests.end_to_end.running_up import by_hand, running_up
from tests.redis_server import RedisServer, running_redis
from tests.site import SimulatedSite


@pytest.fixture
def machines(tmp_path: Path) -> list[Path]:
    """Directories for four machines."""
    return [tmp_path / f"machine-{number}" for number in range(4)]


async def test_two_proxies_and_two_harvesters_share_one_visitor_and_all_conversations(
    machines: list[Path], own_redis: RedisServer
) -> None:
    async with SimulatedSite() as site, AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        running = [Machine(directory, site.url, own_redis.url) for directory in machines]
        for machine, service in zip(running, ("proxy", "proxy", "harvester", "harvester"), strict=True):
            await stack.enter_async_context(machine.running(service))
        one, two = running[:2]
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
        logs = "".join(machine.log.read_text() for machine in running)
    assert len(visits) == 1, visits
    assert "Traceback" not in logs, logs


async def test_up_waits_for_a_redis_that_starts_after_it(tmp_path: Path, free_port: int) -> None:
    store_url = f"redis://:sesame@127.0.0.1:{free_port}/3"
    async with (
        SimulatedSite() as site,
        running_up(site.url, tmp_path, FREEAICHAT_STORE=store_url, **by_hand(site)) as up,
    ):
        await up.printed("waiting up to")
        with running_redis(tmp_path / "redis", free_port, "--requirepass", "sesame"):
            await up.ready()
            answer = await up.chat("hi")
            started = monotonic()
            assert await up.stop() == 0
            assert monotonic() - started < STOP_SECONDS

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
        assert await asyncio.wait_for(process.wait(), STOP_SECONDS) == 0
    assert "Traceback" not in machine.log.read_text()
