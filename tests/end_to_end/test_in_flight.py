"""What happens under open streams and no client notices: new nonces, new credentials, another harvester."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.end_to_end.running_up import RunningUp, running_up
from tests.end_to_end.test_kills import harvest, wait_for_service
from tests.figures import figure
from tests.site.process import RunningSite, running_site

STREAMS = 200
TOKENS = 30
PAUSE_SECONDS = 0.15
WORDS = "".join(f"word{number} " for number in range(1, TOKENS + 1))
SETTINGS = {"FREEAICHAT_MAX_UPSTREAM": "256"}

Event = Callable[[RunningUp, RunningSite], Coroutine[Any, Any, None]]


async def streamed(up: RunningUp, http: aiohttp.ClientSession) -> str:
    """One streamed answer of some seconds: its text, or what was wrong with it."""
    content = f"[[delay:{PAUSE_SECONDS}]] [[tokens:{TOKENS}]]"
    body = {"model": "gpt-4o-mini-helper", "stream": True, "messages": [{"role": "user", "content": content}]}
    async with http.post(f"{up.url}/v1/chat/completions", json=body) as response:
        raw = await response.text()
    lines = [line.removeprefix("data: ") for line in raw.split("\n") if line.startswith("data: ")]
    if response.status != 200 or lines[-1] != "[DONE]":
        return f"{response.status}: {raw[-500:]}"
    events = [json.loads(line) for line in lines[:-1]]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


async def all_open(site: RunningSite, streams: list[asyncio.Task[str]]) -> None:
    async with asyncio.timeout(20):
        while (await site.state())["open_streams"] < len(streams):
            assert not any(task.done() for task in streams), "one ended before all had begun"
            await asyncio.sleep(0.02)


async def rotate_the_nonce(up: RunningUp, site: RunningSite) -> None:
    await site.control(rotate_nonce=True)


async def refuse_the_nonce_until_a_visit(up: RunningUp, site: RunningSite) -> None:
    """The old credentials are worth nothing, and only a visit brings new ones."""
    await site.control(rotate_nonce=True, nonce_action=False)
    await visit(up)


async def restart_the_harvester(up: RunningUp, site: RunningSite) -> None:
    killed = await wait_for_service(up, "harvester")
    killed.kill()
    async with asyncio.timeout(10):
        while (await wait_for_service(up, "harvester")).pid == killed.pid:
            await asyncio.sleep(0.05)
    await visit(up)


async def visit(up: RunningUp) -> None:
    """New credentials, at once; another one where the harvester happens to be there."""
    async with asyncio.timeout(20):
        while await (await harvest(up)).wait() != 0:
            await asyncio.sleep(0.1)


async def texts_while(event: Event, up: RunningUp, site: RunningSite, http: aiohttp.ClientSession) -> list[str]:
    """The answers of 200 streams that were open when it began to happen, and of those begun meanwhile."""
    streams = [asyncio.create_task(streamed(up, http)) for _ in range(STREAMS)]
    await all_open(site, streams)
    running_event = asyncio.create_task(event(up, site))
    later: list[asyncio.Task[str]] = []
    while not running_event.done() or len(later) < 10:
        later.append(asyncio.create_task(streamed(up, http)))
        await asyncio.sleep(0.1)
    await running_event
    return await asyncio.gather(*streams, *later)


@pytest.mark.usefixtures("as_users_run_it")
async def test_under_two_hundred_open_streams_no_client_sees_what_is_renewed(tmp_path: Path) -> None:
    unlimited = aiohttp.TCPConnector(limit=0)
    async with (
        running_site() as site,
        running_up(site.url, tmp_path, **SETTINGS) as up,
        aiohttp.ClientSession(connector=unlimited) as http,
    ):
        await up.ready()
        for event in (rotate_the_nonce, refuse_the_nonce_until_a_visit, restart_the_harvester):
            before = (await site.state())["model_call_count"]
            texts = await texts_while(event, up, site, http)
            wrong = [text for text in texts if text != WORDS]
            name = f"{event.__name__.replace('_', ' ')} under {STREAMS} open streams"
            figure(name, f"{len(wrong)} of {len(texts)} failed")
            assert wrong == []
            assert (await site.state())["model_call_count"] - before == len(texts)  # no turn was made twice
            await site.control(nonce_action=True)
