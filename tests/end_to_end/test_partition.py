"""Two proxies and two harvesters share a Redis; the network between it and one pair is cut, and heals."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from time import monotonic

import aiohttp
import pytest

from shared.models import Outcome, Visit
from shared.store import Store, open_store
from tests.end_to_end.machines import READY_SECONDS, Machine, chat, readiness, ready
from tests.redis_server import RedisServer
from tests.relay import relay
from tests.site.process import running_site

INTERVAL_SECONDS = 3.0  # between visits, so that some fall into the cut
CATCH_UP_SECONDS = 10.0


async def visited(store: Store, count: int) -> list[Visit]:
    """The visits, oldest first, once there are *count*."""
    async with asyncio.timeout(READY_SECONDS):
        while len(visits := await store.visits()) < count:
            await asyncio.sleep(0.05)
    return visits[::-1]


async def wait_for_state(http: aiohttp.ClientSession, machine: Machine, state: str) -> None:
    """Wait until the proxy there says that it is *state*."""
    deadline = monotonic() + CATCH_UP_SECONDS
    while (found := await readiness(http, machine)) != state:
        assert monotonic() < deadline, f"{found}:\n{machine.log.read_text()}"
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("as_users_run_it")
async def test_a_pair_that_is_cut_off_goes_on_with_what_it_knows_and_catches_up(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(running_site())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        network = await stack.enter_async_context(relay(own_redis.port))
        store = await stack.enter_async_context(open_store(own_redis.url))
        near, far = (
            [
                Machine(
                    tmp_path / f"{where}-{service}", site.url, url, FREEAICHAT_HARVEST_INTERVAL=f"{INTERVAL_SECONDS}s"
                )
                for service in ("proxy", "harvester")
            ]
            for where, url in (("here", own_redis.url), ("far", f"redis://127.0.0.1:{network.port}"))
        )
        for machines in (near, far):
            for machine, service in zip(machines, ("proxy", "harvester"), strict=True):
                await stack.enter_async_context(machine.running(service))
            await ready(http, machines[0])
        async with http.post(f"{near[0].url}/v1/conversations") as response:
            conversation = (await response.json())["id"]
        assert (await chat(http, far[0], "my name is Ada", conversation_id=conversation))[0] == 200

        before = len(await visited(store, len(await store.visits()) + 1))
        network.cut()  # just after a visit: neither harvester is about one
        await wait_for_state(http, far[0], "degraded")
        assert (await chat(http, far[0], "hi"))[0] == 200
        assert await chat(http, far[0], "hi", conversation_id=conversation) == (503, "store_unavailable")
        _, recalled = await chat(http, near[0], "[[recall]]", conversation_id=conversation)
        assert "my name is Ada" in recalled
        await site.control(rotate_nonce=True)
        assert (await chat(http, near[0], "hi"))[0] == (await chat(http, far[0], "hi"))[0] == 200
        during = len(await visited(store, before + 1))

        network.heal()
        await wait_for_state(http, far[0], "ready")
        _, recalled = await chat(http, far[0], "[[recall]]", conversation_id=conversation)
        assert "my name is Ada" in recalled
        # Where a machine is busy the cut may fall into a visit, which is told of once it heals.
        visits = sorted(await visited(store, during + 1), key=lambda visit: visit.started_at)
        logs = "".join(machine.log.read_text() for machine in (*near, *far))

    assert {visit.outcome for visit in visits} == {Outcome.CAPTURED}
    for earlier, later in pairwise(visits):
        assert earlier.started_at + earlier.seconds <= later.started_at
        assert later.started_at - earlier.started_at > INTERVAL_SECONDS / 2  # one harvester's pace, not that of two
    assert "Traceback" not in logs, logs
