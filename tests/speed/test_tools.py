"""What tools cost a turn, and a stream in which the model calls none of them, beside the same without tools."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from uuid import uuid4

import aiohttp
import psutil
import pytest

from tests.figures import figure
from tests.ports import a_free_port
from tests.speed.agents import MESSAGES, Agent
from tests.speed.load import Work
from tests.speed.targets import HARNESS_CORE, Target, measure, pin, targets
from tests.speed.test_speed import ROUNDS

TOOLS, TOOL_BYTES = 30, 2_000
TURN_LIMIT = 2.0  # ms of CPU
STREAM_LIMIT = 1.5
AGENT_LIMIT = 3.0  # ms of CPU
NOISE = 1.0 if ROUNDS else 4.0  # in short form, on any machine, only what is wrong by a multiple is told

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("as_users_run_it")]


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Target]:
    """The proxy before the stub, whose own copies of conversations it continues."""
    ports = [a_free_port() for _ in range(4)]
    async with targets(tmp_path, ports, FREEAICHAT_HISTORY="continue") as running:
        yield running[0]


async def costs(proxy: Target, plain: Work) -> tuple[float, float]:
    """Milliseconds of CPU for each request without tools and with them, in turns; all answers must be whole."""
    works = [replace(plain, port=proxy.port, tools=tools) for tools in (0, TOOLS)]
    used: list[list[float]] = [[], []]
    for round_number in range(max(ROUNDS, 1) + 1):
        for work, found in zip(works, used, strict=True):
            run = await measure(proxy, work)
            assert run.outcome.faults == []
            if round_number:  # the first one fills the caches
                found.append(run.cpu / work.requests * 1000)
    return median(used[0]), median(used[1])


async def test_definitions_of_thirty_tools_cost_a_turn_little(proxy: Target) -> None:
    without, tools = await costs(proxy, Work(port=0, at_once=4, requests=400 if ROUNDS else 40, tokens=5))

    size = TOOLS * TOOL_BYTES // 1000
    figure(
        f"a turn with {TOOLS} tools of {size} kB", f"+{tools - without:.2f} ms CPU ({tools:.2f}, {without:.2f} without)"
    )
    assert tools - without < TURN_LIMIT * NOISE


async def test_text_that_begins_no_call_costs_a_stream_little(proxy: Target) -> None:
    work = Work(port=0, at_once=8, requests=64 if ROUNDS else 16, tokens=1000)
    long, short = await costs(proxy, work), await costs(proxy, replace(work, tokens=5))
    without, tools = (1000 * (many - few) / (work.tokens - 5) for many, few in zip(long, short, strict=True))

    figure("a token of a stream with tools", f"{tools:.2f} µs CPU, without {without:.2f}, {tools / without:.2f} x")
    assert tools < without * STREAM_LIMIT * NOISE


@pytest.fixture
def off_the_proxys_core() -> Iterator[None]:
    """Pin this process to another core than the proxy's."""
    cores = psutil.Process().cpu_affinity()
    pin(os.getpid(), HARNESS_CORE)
    yield
    psutil.Process().cpu_affinity(cores)


@pytest.mark.usefixtures("off_the_proxys_core")
async def test_an_agents_turns_cost_little_more_than_plain_ones(proxy: Target) -> None:
    count = 60 if ROUNDS else 10
    used: list[list[float]] = [[], [], []]
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer sk-speed"}) as http:
        for round_number in range(max(ROUNDS, 1) + 1):
            run = await measure(proxy, Work(port=proxy.port, at_once=1, requests=count, tokens=5))
            assert run.outcome.faults == []
            spent = [run.cpu]
            agents = [Agent(uuid4().hex, f"http://127.0.0.1:{proxy.port}") for _ in range(count)]
            for _ in range(2):
                before = proxy.cpu
                for agent in agents:
                    await agent.turn(http)
                spent.append(proxy.cpu - before)
            if round_number:  # the first one fills the caches
                for found, seconds in zip(used, spent, strict=True):
                    found.append(seconds / count * 1000)
    plain, new, next_turn = map(median, used)

    figure(
        f"a turn of an agent ({TOOLS} tools of {TOOLS * TOOL_BYTES // 1000} kB, {MESSAGES} messages)",
        f"+{new - plain:.2f} ms CPU, the next one +{next_turn - plain:.2f} ({plain:.2f} for a plain turn)",
    )
    assert new - plain < AGENT_LIMIT * NOISE
    assert next_turn - plain < AGENT_LIMIT * NOISE
