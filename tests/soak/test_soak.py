"""The soak test: every request is answered or refused properly, nothing is lost, nothing grows."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import aiohttp
import psutil
import pytest

from shared.store import open_store
from tests.end_to_end.running_up import RunningUp, running_up, still_running
from tests.figures import figure
from tests.site.process import RunningSite, running_site
from tests.soak.clients import AI_ENGINE_MODELS, AIPKIT_MODELS, SERVER, SERVER_MODELS, Client
from tests.soak.faults import AI_ENGINE, AIPKIT, OPENAI_SERVER, rotate
from tests.soak.resource_usage import Watch, stored_bytes
from tests.soak.tally import Tally

SECONDS = float(os.environ.get("TEST_SOAK", "40"))  # the benchmarks command soaks for 15 minutes
SEED = 20261123
CLIENTS = 6
PLACES = 8  # streams open to each of them at once, and with them the connections that may be kept for later
CALM_SECONDS = 20.0  # in which everything is well again after the last fault
MOST_GROWTH = 0.10
MOST_STORED = 32 * 1024 * 1024  # bytes: what may be kept, and what comes between two times of tidying up
SETTINGS = {
    "FREEAICHAT_HARVEST_INTERVAL": "1s",
    "FREEAICHAT_IDLE_TIMEOUT": "1s",
    "FREEAICHAT_RETENTION": "90s",
    "FREEAICHAT_MAX_STORED": "4MiB",
    "FREEAICHAT_MAX_UPSTREAM": str(PLACES),
    "FREEAICHAT_MAX_SERVER": str(PLACES),
}
COMPLAINTS = ("Traceback", "never retrieved", "never awaited", "Unclosed", "was destroyed", "internal_error")


async def state_after_clients_left(up: RunningUp, upstreams: Sequence[RunningSite]) -> tuple[int, str]:
    """The descriptors of the proxy once all clients have left, and whether one of theirs is still served."""
    proxy = up.service("proxy")
    assert proxy is not None
    port = int(up.url.rpartition(":")[2])
    held, streams = [], 0
    for _ in range(50):
        held = [each for each in proxy.net_connections("tcp") if each.laddr.port == port and each.status != "LISTEN"]
        streams = sum([(await each.state())["open_streams"] for each in upstreams])
        if len(held) <= 1 and not streams:  # the one that asks here
            return proxy.num_fds(), ""
        await asyncio.sleep(0.1)
    return proxy.num_fds(), f"{len(held)} connections of clients and {streams} streams behind it are still open"


async def answers_again(up: RunningUp) -> float:
    """The seconds until three answers of each site, and of the server, came in a row."""
    started, good = monotonic(), 0
    while good < 3:
        assert monotonic() - started < CALM_SECONDS, "".join(up.output[-40:])
        try:
            for model in (AIPKIT_MODELS[0], AI_ENGINE_MODELS[0], SERVER_MODELS[0]):
                await up.chat("well again?", model=model)
            good += 1
        except aiohttp.ClientError:
            good = 0
            await asyncio.sleep(0.2)
    return monotonic() - started


async def traffic(
    up: RunningUp, upstreams: Sequence[RunningSite], tally: Tally, made: Counter[str], watch: Watch
) -> float:
    """Clients and faults for the whole time; the seconds until all was well after the last fault."""
    clients = [Client(up.url, tally, random.Random(SEED + number)) for number in range(CLIENTS)]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(client.run()) for client in clients]
        running.append(group.create_task(watch.run()))
        rotations = [
            group.create_task(rotate(each, kind, made, seconds=SECONDS, chance=random.Random(SEED)))
            for each, kind in zip(upstreams, (AIPKIT, AI_ENGINE, OPENAI_SERVER), strict=True)
        ]
        await asyncio.gather(*rotations)
        back = await answers_again(up)
        for task in running:
            task.cancel()
    return back


def growths(watch: Watch) -> dict[str, float]:
    """How each process's memory has grown, as a share; and the figures printed."""
    for name, series in watch.memory.items():
        megabytes = f"{series.early / 1e6:.1f} to {series.late / 1e6:.1f} MB ({series.growth:+.1%})"
        descriptors = watch.descriptors[name]
        figure(f"soak: memory of the {name}, early to late", megabytes)
        figure(f"soak: descriptors of the {name}, early to late", f"{descriptors.early:g} to {descriptors.late:g}")
    return {name: series.growth for name, series in watch.memory.items()}


def format_counts(counts: Counter[str]) -> str:
    """Counts in one line, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


@pytest.mark.busy
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.usefixtures("as_users_run_it")
async def test_under_faults_no_answer_is_lost_and_no_resource_leaks(tmp_path: Path) -> None:
    tally, made = Tally(), Counter[str]()
    data, temporary = tmp_path / "data", tmp_path / "tmp"
    temporary.mkdir()
    async with (
        running_site() as aipkit,
        running_site(module="tests.site_ai_engine") as engine,
        running_site(module="tests.soak.server") as server,
        running_up(
            f"{aipkit.url},{engine.url}",
            data,
            TMPDIR=str(temporary),
            FREEAICHAT_SERVERS=f"{SERVER}={server.url}v1",
            **SETTINGS,
        ) as up,
    ):
        sites, upstreams = (aipkit, engine), (aipkit, engine, server)
        await up.ready()
        await answers_again(up)
        for site in sites:
            await site.control(nonce_life=8.0)
        processes = services(up)
        idle = processes["proxy"].num_fds()
        watch = Watch(processes, data)
        back = await traffic(up, upstreams, tally, made, watch)
        held, open_still = await state_after_clients_left(up, upstreams)
        visits = await visits_of(up)
        pages = [(await site.state())["requests"].get("/", 0) for site in sites]
        all_processes = up.all_processes()
        assert {name: process.pid for name, process in services(up).items()} == {
            name: process.pid for name, process in processes.items()
        }, "a service was started anew"
        assert await up.stop() == 0
    left = [process.pid for process in await still_running(all_processes, seconds=3)]

    figure("soak: length", f"{SECONDS:g} s, {made.total()} faults of {len(made)} kinds")
    figure("soak: visits", f"{sum(pages)} pages were loaded; the last {visits.total()} visits: {format_counts(visits)}")
    figure("soak: requests", f"{tally.requests}, {tally.cancelled} of them left by the client")
    figure("soak: answers", f"{tally.answers.total()} ({format_counts(tally.answers)})")
    figure("soak: refusals", f"{tally.refusals.total()} ({format_counts(tally.refusals)})")
    figure("soak: well again after the last fault", f"{back:.1f} s")
    figure("soak: store, early to late", f"{watch.stored.early / 1e6:.2f} to {watch.stored.late / 1e6:.2f} MB")
    figure("soak: descriptors of the proxy without clients, before and after", f"{idle} and {held}")
    grown = growths(watch)
    output = list(up.output)
    complaints = [at for at, line in enumerate(output) if any(word in line for word in COMPLAINTS)]
    assert tally.wrong == [], "\n".join(tally.wrong[:20])
    assert complaints == [], "".join(output[max(complaints[0] - 3, 0) : complaints[-1] + 30])
    assert open_still == ""
    assert held <= idle + 3 * PLACES + 1
    assert {name: share for name, share in grown.items() if share > MOST_GROWTH} == {}
    assert stored_bytes(data) < MOST_STORED
    assert (left, list(temporary.iterdir())) == ([], [])
    assert sum(pages) > SECONDS / 20
    assert min(pages) > 1
    assert visits["captured"] > visits.total() / 2
    assert tally.answers.total() > tally.refusals.total()


def services(up: RunningUp) -> dict[str, psutil.Process]:
    """The three processes that live as long as the product does."""
    found = {"supervisor": up.supervisor, "proxy": up.service("proxy"), "harvester": up.service("harvester")}
    return {name: process for name, process in found.items() if process is not None}


async def visits_of(up: RunningUp) -> Counter[str]:
    """The visits that the store remembers, by outcome."""
    async with open_store(up.store_url) as store:
        return Counter(visit.outcome.value for visit in await store.visits())
