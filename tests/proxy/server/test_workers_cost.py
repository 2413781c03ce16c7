"""What a token costs two workers with twice the streams of one, and how much faster they are. `TEST_STREAMS` makes it
longer."""

import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import monotonic
from typing import NamedTuple

import psutil
import pytest

from tests.figures import figure
from tests.ports import a_free_port
from tests.proxy.serving import serving
from tests.site.process import RunningSite, running_site

STREAMS = int(os.environ.get("TEST_STREAMS", "40"))
TOKENS = 100
PACE_SECONDS = 0.02  # between tokens: in a burst one that is busier gets more of them at once, and pays less for each
IS_LONG = "TEST_STREAMS" in os.environ
RUNS = 3 if IS_LONG else 1
HAS_ROOM = (os.cpu_count() or 1) >= 4  # site and client need cores too; on fewer, all get into each other's way
COST = 1.1 if IS_LONG and HAS_ROOM else 2.5  # of one worker's; a short run says little
SPREAD = (0.35, 0.65) if IS_LONG else (0.2, 0.8)  # of as many streams as there are here
FASTER = 1.8
REQUEST = {
    "model": "gpt-4o-mini-helper",
    "stream": True,
    "messages": [{"role": "user", "content": f"[[tokens:{TOKENS}]] [[delay:{PACE_SECONDS}]]"}],
}


class Site(NamedTuple):
    """The site in its own process, as `serving` wants it."""

    url: str
    origin: str
    nonce: str


class Run(NamedTuple):
    """What one run cost: seconds of processor time and of the clock, and how the streams were spread."""

    cpu: float
    seconds: float
    shares: Sequence[float]


async def stream(port: int) -> int:
    """One stream over a connection of its own; how many tokens came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(REQUEST).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
    writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    answer = await reader.read()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return answer.count(b"word")  # several may come in one event


def connections(process: psutil.Process, port: int) -> int:
    return sum(
        each.status == psutil.CONN_ESTABLISHED and bool(each.laddr) and each.laddr.port == port
        for each in process.net_connections("tcp")
    )


async def run(site: Site, data_dir: Path, workers: int) -> Run:
    count = STREAMS * workers
    port = a_free_port()
    settings = {"FREEAICHAT_WORKERS": str(workers), "FREEAICHAT_MAX_UPSTREAM": str(count)}
    async with serving(site, data_dir, port, **settings) as process:
        proxies = [psutil.Process(process.pid)] if workers == 1 else psutil.Process(process.pid).children()
        await asyncio.gather(*(stream(port) for _ in range(4 * workers)))

        def cpu() -> float:
            return sum(sum(each.cpu_times()[:2]) for each in proxies)

        before, start = cpu(), monotonic()
        streams = [asyncio.create_task(stream(port)) for _ in range(count)]
        await asyncio.sleep(TOKENS * PACE_SECONDS / 2)
        spread = [connections(each, port) for each in proxies]
        counts = await asyncio.gather(*streams)
        assert set(counts) == {TOKENS}, counts
        return Run(cpu() - before, monotonic() - start, [count / sum(spread) for count in spread])


@pytest.mark.alone
@pytest.mark.usefixtures("as_users_run_it")
async def test_a_token_costs_two_workers_hardly_more_than_one(tmp_path: Path) -> None:
    async with running_site() as running:
        site = Site(running.url, running.origin, await nonce(running))
        pairs = [[await run(site, tmp_path / f"{n}-{count}", count) for count in (1, 2)] for n in range(RUNS)]

    one, two = ([pair[number] for pair in pairs] for number in (0, 1))
    cost = median(b.cpu / 2 / a.cpu for a, b in pairs)
    tokens = STREAMS * TOKENS / 1e6
    figure("CPU of a token, one worker", f"{median(each.cpu for each in one) / tokens:.1f} s per 1M tokens")
    figure("CPU of a token, two workers with twice the streams", f"{cost:.2f} of that")
    figure("streams to one of two workers", ", ".join(f"{each.shares[0]:.0%}" for each in two))
    if HAS_ROOM:
        faster = median(2 * a.seconds / b.seconds for a, b in pairs)
        figure("throughput of two workers", f"{faster:.2f} of one's")
        assert faster >= FASTER or not IS_LONG
    assert cost <= COST
    assert all(SPREAD[0] <= share <= SPREAD[1] for each in two for share in each.shares)


async def nonce(site: RunningSite) -> str:
    return str((await site.state())["nonce"])
