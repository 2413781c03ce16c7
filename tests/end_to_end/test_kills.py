"""`kill -9` of any process at any moment: nothing acknowledged is lost, and everything comes back by itself."""

import asyncio
import os
import random
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from time import monotonic, time
from typing import Any

import aiohttp
import psutil
import pytest

from shared.models import Outcome
from shared.store import Store, open_store
from tests.cli.processes import ended
from tests.end_to_end.running_up import RunningUp, running_up, still_running
from tests.figures import figure
from tests.needs import FREEAICHAT
from tests.ports import a_free_port
from tests.site import SimulatedSite

pytestmark = pytest.mark.usefixtures("as_users_run_it")
KILLS = int(os.environ.get("TEST_KILLS", "2"))  # the benchmarks command kills each twenty times
BACK_SECONDS = 10.0
LIFELINE_SECONDS = 3.0
DELTA_SECONDS = 0.01  # so that most kills come into answers, and the traffic leaves the machine room


class Traffic:
    """Continuous conversations; records every complete answer."""

    def __init__(self, up: RunningUp) -> None:
        self._up = up
        self.acknowledged: dict[str, list[str]] = {}
        self.errors = 0

    async def run(self) -> None:
        """One turn after another, until cancelled."""
        while True:
            try:
                async with self._up.http.post(f"{self._up.url}/v1/conversations") as response:
                    conversation = (await response.json())["id"]
                for number in range(5):
                    text = f"{conversation} turn {number}"
                    await self._up.chat(text, conversation_id=conversation)
                    self.acknowledged.setdefault(conversation, []).append(text)
            except aiohttp.ClientError:
                self.errors += 1
                await asyncio.sleep(0.05)

    async def lost_turns(self, store: Store) -> list[str]:
        """The answered turns that are missing from the store."""
        missing: list[str] = []
        for name, texts in self.acknowledged.items():
            conversation = await store.conversation(name)
            stored = {message.text for message in conversation.messages} if conversation else set()
            missing += [text for text in texts if text not in stored]
        return missing


async def kill_service(up: RunningUp, name: str) -> float:
    """Kill the named service; the seconds until another one runs in its place and does its work."""
    killed = await wait_for_service(up, name)
    killed.kill()
    started = monotonic()
    while (new := up.service(name)) is None or new.pid == killed.pid:
        assert monotonic() - started < BACK_SECONDS, "".join(up.output[-40:])
        await asyncio.sleep(0.02)
    if name == "harvester":
        await visited(up, since=time())
    await answering(up)
    return monotonic() - started


async def visited(up: RunningUp, *, since: float) -> None:
    """Wait for a capture made after *since* (Unix seconds)."""
    async with open_store(up.store_url) as store, asyncio.timeout(BACK_SECONDS):
        while not any(
            visit.outcome is Outcome.CAPTURED and visit.started_at >= since for visit in await store.visits()
        ):
            await asyncio.sleep(0.05)


async def kill_browser(up: RunningUp, seconds: float) -> float:
    """Kill the browser of a visit *seconds* after it appeared; the seconds until that or the next visit captures."""
    visit = await harvest(up)
    while visit.returncode is None and (browser := find_browser_process(visit.pid)) is None:
        await asyncio.sleep(0.005)
    await asyncio.sleep(seconds)
    with suppress(psutil.NoSuchProcess):
        if browser is not None:
            browser.kill()
    started = monotonic()
    while await asyncio.wait_for(visit.wait(), 30) != 0:
        visit = await harvest(up)
    await answering(up)
    return monotonic() - started


async def harvest(up: RunningUp) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(FREEAICHAT, "harvest"), env=up.environment, stdout=asyncio.subprocess.DEVNULL
    )


def find_browser_process(pid: int) -> psutil.Process | None:
    """The first browser process below *pid*."""
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "headless" in process.name() or "chrom" in process.name():
                    return process
    return None


async def answering(up: RunningUp) -> float:
    """Wait for the next whole answer; the seconds it took."""
    started = monotonic()
    while True:
        with suppress(aiohttp.ClientError):
            await up.chat("still there?")
            return monotonic() - started
        assert monotonic() - started < BACK_SECONDS, "".join(up.output[-40:])
        await asyncio.sleep(0.05)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("names", "interval"), [(["harvester"], "2s"), (["proxy", "browser"], "6h")], ids=str)
async def test_killing_a_process_loses_nothing_that_was_acknowledged(
    tmp_path: Path, names: list[str], interval: str
) -> None:
    chance = random.Random("".join(names))
    async with SimulatedSite() as site, running_up(site.url, tmp_path, FREEAICHAT_HARVEST_INTERVAL=interval) as up:
        site.behaviour.delta_delay = DELTA_SECONDS
        await up.ready()
        traffic = Traffic(up)
        running = [asyncio.create_task(traffic.run()) for _ in range(3)]
        slowest = dict.fromkeys(names, 0.0)
        for name in names * KILLS:
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            if name == "browser":  # its visits are asked for one by one
                seconds = await kill_browser(up, chance.uniform(0, 0.4))
            else:
                seconds = await kill_service(up, name)
            slowest[name] = max(slowest[name], seconds)
        await stop(running)
        services = [await wait_for_service(up, name) for name in ("proxy", "harvester")]
        async with open_store(up.store_url) as store:
            lost_turns = await traffic.lost_turns(store)

    turns = sum(map(len, traffic.acknowledged.values()))
    for name in names:
        figure(f"{KILLS} times kill -9 of {name}: back at work within", f"{slowest[name]:.2f} s")
    figure(f"{KILLS} times kill -9 of {' and '.join(names)}: acknowledged turns lost", f"{len(lost_turns)} of {turns}")
    assert lost_turns == []
    assert max(slowest.values()) < BACK_SECONDS
    assert await still_running(services, seconds=1) == []  # ended with the supervisor
    assert traffic.acknowledged


@pytest.mark.timeout(600)
async def test_killing_the_supervisor_ends_its_children_and_a_new_one_serves(tmp_path: Path) -> None:
    port = {"FREEAICHAT_PORT": str(a_free_port())}
    async with SimulatedSite() as site, AsyncExitStack() as stack:
        up = await stack.enter_async_context(running_up(site.url, tmp_path, **port))
        await up.ready()
        async with up.http.post(f"{up.url}/v1/conversations") as response:
            conversation = (await response.json())["id"]
        await up.chat("remember me", conversation_id=conversation)
        for _ in range(max(1, KILLS // 4)):
            open_stream = asyncio.create_task(up.chat("[[delay:1]] [[tokens:40]]"))
            async with asyncio.timeout(10):
                while not site.open_streams:
                    await asyncio.sleep(0.02)
            children = await killed_supervisor(up)
            assert await still_running(children, seconds=LIFELINE_SECONDS) == []
            await stop([open_stream])
            up = await stack.enter_async_context(running_up(site.url, tmp_path, **port))
            assert await up.ready() < BACK_SECONDS
            answer = await up.chat("[[recall]]", conversation_id=conversation)
            assert "remember me" in answer["choices"][0]["message"]["content"]
        children = await killed_supervisor(up)
        up = await stack.enter_async_context(running_up(site.url, tmp_path, **port))  # while they end
        assert await still_running(children, seconds=LIFELINE_SECONDS) == []
        assert await up.ready() < BACK_SECONDS
        await up.printed("credentials kept: ")
        assert await up.chat("still there?")


async def killed_supervisor(up: RunningUp) -> list[psutil.Process]:
    """Kill the supervisor; what ran below it."""
    children = up.supervisor.children(recursive=True)
    up.process.kill()
    await ended(up.process)
    return children


async def stop(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def wait_for_service(up: RunningUp, name: str) -> psutil.Process:
    """The service, once it runs again."""
    for _ in range(200):
        if (service := up.service(name)) is not None:
            return service
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} did not come back")
