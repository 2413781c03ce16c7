"""`kill -9` of any process at any moment: nothing acknowledged is lost, and everything comes back by itself."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import psutil
import pytest

from tests.end_to_end.running_up import RunningUp, running_up, still_running
from tests.figures import figure
from tests.needs import FREEAICHAT
from tests.site.process import running_site

KILLS = int(os.environ.get("TEST_KILLS", "4"))  # the benchmarks command kills each twenty times
BACK_SECONDS = 10.0


class Traffic:
    """Conversations that go on all the time; remembers every answer it was given whole."""

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

    async def check(self) -> None:
        """Everything that was answered is still remembered."""
        for conversation, texts in list(self.acknowledged.items())[-20:]:
            answer = await self._up.chat("[[recall]]", conversation_id=conversation)
            recalled = answer["choices"][0]["message"]["content"]
            assert all(text in recalled for text in texts), conversation


async def kill_service(up: RunningUp, name: str) -> None:
    """Kill the named service as soon as it runs."""
    (await back(up, name)).kill()


async def kill_browser(up: RunningUp, seconds: float) -> None:
    """Kill the browser of a visit *seconds* after it appeared; the visit ends as one that failed or was done."""
    visit = await asyncio.create_subprocess_exec(
        *(FREEAICHAT, "harvest"), env=up.environment, stdout=asyncio.subprocess.DEVNULL
    )
    while visit.returncode is None and (browser := find_browser_process(visit.pid)) is None:
        await asyncio.sleep(0.005)
    await asyncio.sleep(seconds)
    with suppress(psutil.NoSuchProcess):
        if browser is not None:
            browser.kill()
    assert await asyncio.wait_for(visit.wait(), 30) in {0, 1, 3}


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
    begun = monotonic()
    while True:
        with suppress(aiohttp.ClientError):
            await up.chat("still there?")
            return monotonic() - begun
        assert monotonic() - begun < BACK_SECONDS, "".join(up.output[-40:])
        await asyncio.sleep(0.05)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["harvester", "proxy", "browser"])
async def test_killing_a_process_loses_nothing_that_was_acknowledged(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    interval = "6h" if name == "browser" else "2s"  # its visits are asked for one by one
    async with running_site() as site, running_up(site.url, tmp_path, FREEAICHAT_HARVEST_INTERVAL=interval) as up:
        await up.ready()
        traffic = Traffic(up)
        running = [asyncio.create_task(traffic.run()) for _ in range(3)]
        slowest = 0.0
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            if name == "browser":
                await kill_browser(up, chance.uniform(0, 0.4))
            else:
                await kill_service(up, name)
            slowest = max(slowest, await answering(up))
        await stop(running)
        await traffic.check()
        service = await back(up, "harvester" if name == "browser" else name)

    figure(f"{KILLS} times kill -9 of {name}: back within", f"{slowest:.2f} s")
    figure(f"{KILLS} times kill -9 of {name}: conversations lost", f"0 of {len(traffic.acknowledged)}")
    assert await still_running([service], seconds=1) == []  # ended with the supervisor
    assert traffic.acknowledged


@pytest.mark.timeout(600)
async def test_killing_the_supervisor_ends_its_children_and_a_new_one_serves(tmp_path: Path) -> None:
    async with running_site() as site:
        conversation = ""
        for _ in range(max(1, KILLS // 4)):
            async with running_up(site.url, tmp_path) as up:
                assert await up.ready() < BACK_SECONDS
                if conversation:
                    answer = await up.chat("[[recall]]", conversation_id=conversation)
                    assert "remember me" in answer["choices"][0]["message"]["content"]
                else:
                    async with up.http.post(f"{up.url}/v1/conversations") as response:
                        conversation = (await response.json())["id"]
                    await up.chat("remember me", conversation_id=conversation)
                children = up.supervisor.children(recursive=True)
                open_stream = asyncio.create_task(up.chat("[[delay:1]] [[tokens:40]]"))
                await asyncio.sleep(0.5)
                up.process.send_signal(signal.SIGKILL)
                await up.process.wait()
                assert await still_running(children, seconds=3) == []
                await stop([open_stream])
        async with running_up(site.url, tmp_path) as up:
            assert await up.ready() < BACK_SECONDS


async def stop(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def back(up: RunningUp, name: str) -> psutil.Process:
    """The service, once it runs again."""
    for _ in range(200):
        if (service := up.service(name)) is not None:
            return service
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} did not come back")
