"""The cost of the whole product, beside nginx relaying the same traffic and a bare gateway in the same minutes.

In short form everything is checked and printed but the figures are no verdict: the machine is noisy. In long form
(TEST_SPEED rounds of full size) they are the ones that the README shows.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import aiohttp
import pytest

from tests.figures import figure
from tests.ports import a_free_port
from tests.proxy.serving import fill_store, serving
from tests.site import SimulatedSite
from tests.speed.load import Work
from tests.speed.targets import Run, Target, measure, targets

ROUNDS = int(os.environ.get("TEST_SPEED", "0"))
MILLION = 1e6
ADDED_LIMIT = 50.0  # ms
LIBRARIES = "aiohttp.web, orjson, msgspec, platformdirs, pydantic, sqlite3, tenacity, uvloop, yarl"
RATIO_LIMIT = 8.0  # in short form: only what is wrong by a multiple is told from noise
BARE_LIMIT = 3.0 if ROUNDS else 6.0

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("as_users_run_it")]
All = tuple[Target, Target, Target, Target]


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[All]:
    async with targets(tmp_path, [a_free_port() for _ in range(4)]) as running:
        yield running


async def rounds(servers: Sequence[Target], work: Work, short: Work) -> list[list[Run]]:
    """The runs of each of *servers*, which take turns; every answer must be whole."""
    this_round = work if ROUNDS else short
    runs: list[list[Run]] = [[] for _ in servers]
    for _ in range(max(ROUNDS, 1)):
        for target, done in zip(servers, runs, strict=True):
            run = await measure(target, replace(this_round, port=target.port))
            assert run.outcome.faults == []
            assert run.outcome.whole == this_round.requests
            done.append(run)
    return runs


def median_of(runs: list[Run], value: Callable[[Run], float]) -> float:
    return median(value(run) for run in runs)


def report(name: str, unit: str, proxy: float, nginx: float, bare: float) -> None:
    figure(name, f"{proxy:.3g} {unit}, nginx {nginx:.3g}, {proxy / nginx:.2f} x; bare {bare:.3g}, {proxy / bare:.2f} x")
    assert proxy / nginx < RATIO_LIMIT
    assert proxy / bare < BARE_LIMIT


async def test_many_tokens_at_once_cost_little_more_than_relaying_them(servers: All) -> None:
    work = Work(port=0, at_once=64, requests=640, tokens=500)
    runs = await rounds(servers[:3], work, replace(work, requests=64))
    per_token = MILLION / (work.tokens * (work.requests if ROUNDS else 64))

    report(
        "burst, 64 x 500 tokens",
        "CPU s per 1M tokens",
        *(median_of(each, lambda run: run.cpu * per_token) for each in runs),
    )


@pytest.mark.parametrize(("streams", "pause"), [(400, 20_000), (1000, 20_000), (2000, 50_000)])
async def test_many_slow_streams_arrive_whole_and_in_time(servers: All, streams: int, pause: int) -> None:
    work = Work(port=0, at_once=streams, requests=streams, tokens=100, pause=pause, spread=2.0)
    short = replace(work, at_once=streams // 10, requests=streams // 10, tokens=20, spread=0.2)
    idle = servers[0].memory
    runs = await rounds(servers[:3], work, short)
    used = work if ROUNDS else short
    per_token = MILLION / (used.tokens * used.requests)
    name = f"{used.at_once} streams, {pause // 1000} ms apart"

    report(name, "CPU s per 1M tokens", *(median_of(each, lambda run: run.cpu * per_token) for each in runs))
    proxy = runs[0]
    first, gap = (
        median_of(proxy, lambda run: run.outcome.first_text_p50),
        median_of(proxy, lambda run: run.outcome.gap_p99),
    )
    memory = max(run.memory for run in proxy) - idle
    figure(f"{name}: first token p50, gap p99", f"{first:.3g} ms, {gap:.3g} ms")
    if ROUNDS:
        figure(f"{name}: memory", f"{memory / used.at_once / 1000:.0f} kB a stream")


async def test_a_stream_alone_is_held_up_for_a_moment_only(servers: All) -> None:
    alone = Work(port=0, at_once=1, requests=600, tokens=50)
    added(
        "one stream at a time: first token p50",
        await rounds(servers, alone, replace(alone, requests=60)),
        lambda run: run.outcome.first_text_p50,
    )
    paced = Work(port=0, at_once=1, requests=20, tokens=50, pause=2000)
    added(
        "one stream at a time, 2 ms apart: a token's delay p50",
        await rounds(servers, paced, replace(paced, requests=5)),
        lambda run: run.outcome.delay_p50,
    )


async def test_a_stream_of_the_shape_that_public_comparisons_of_gateways_use(servers: All) -> None:
    shape = Work(port=0, at_once=1, requests=25, tokens=64, pause=20_000)
    runs = await rounds(servers, shape, replace(shape, requests=2))

    name = "64 deltas 20 ms apart"
    added(f"{name}: first token p99", runs, lambda run: run.outcome.first_text_p99)
    added(f"{name}: a token's delay p99", runs, lambda run: run.outcome.delay_p99)


def added(name: str, runs: list[list[Run]], value: Callable[[Run], float]) -> None:
    """Tell how much later things come than straight from the stub."""
    *gateways, stub = (median_of(each, value) for each in runs)
    proxy, nginx, bare = (each - stub for each in gateways)
    ratio = f", {proxy / nginx:.2f} x" if nginx > 0 else ""  # what is lost in noise has none
    figure(name, f"+{proxy:.3f} ms, nginx +{nginx:.3f}{ratio}; bare +{bare:.3f}")
    assert proxy < ADDED_LIMIT


async def test_whole_answers_and_an_idle_proxy_cost_little(servers: All) -> None:
    figure("idle proxy", f"{servers[0].memory / 1e6:.1f} MB resident")
    work = Work(port=0, at_once=10, requests=2000, tokens=100, stream=False)
    short = replace(work, requests=100)
    runs = await rounds((servers[0], servers[2]), work, short)
    used = work if ROUNDS else short

    proxy, bare = (median_of(each, lambda run: run.cpu / used.requests * 1000) for each in runs)
    figure("not streamed, 100 tokens", f"{proxy:.2f} ms CPU a request, bare {bare:.2f}, {proxy / bare:.2f} x")
    assert proxy / bare < BARE_LIMIT


async def test_a_start_takes_little_longer_than_importing_the_libraries(tmp_path: Path) -> None:
    starts, imports = [], []
    async with SimulatedSite() as site:
        await fill_store(tmp_path, site)
        for _ in range(max(ROUNDS, 1)):
            started = perf_counter()
            async with serving(site, tmp_path, port := a_free_port()), aiohttp.ClientSession() as http:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
                    assert response.status == 200
                starts.append(perf_counter() - started)
            started = perf_counter()
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", f"import {LIBRARIES}")
            assert await process.wait() == 0
            imports.append(perf_counter() - started)
    ready, bare = median(starts), median(imports)

    summary = f"{ready:.2f} s, importing the libraries {bare:.2f} s, {ready / bare:.2f} x"
    figure("start to ready, credentials stored", summary)
    assert ready < (2.0 if ROUNDS else 4.0) * bare
