"""`python -m tests.end_to_end.network_partition DIRECTORY`: two proxies and two harvesters in two networks, Redis and
the simulated site in a third; one network is cut off and heals.

Runs in namespaces of its own (see `networks`), and ends with an AssertionError where something is not as it should be.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

from shared.models import Outcome, Visit
from shared.store import Store, open_store
from tests.end_to_end.machines import MODEL, READY_SECONDS, Machine
from tests.end_to_end.networks import HERE, Network, set_up
from tests.figures import figure
from tests.ports import a_free_port
from tests.redis_server import running_redis
from tests.site import SimulatedSite

INTERVAL_SECONDS = 3.0  # between visits, so that some fall into the cut
CATCH_UP_SECONDS = 20.0


class Partition:
    """One network with a proxy and a harvester, each with its own data."""

    def __init__(self, network: Network, directory: Path, site_url: str, store_url: str) -> None:
        self.network = network
        settings = {"FREEAICHAT_HARVEST_INTERVAL": f"{INTERVAL_SECONDS}s"}
        self.machines = {
            service: Machine(directory / f"{network.name}-{service}", site_url, store_url, **settings)
            for service in ("proxy", "harvester")
        }
        for machine in self.machines.values():
            machine.entering = network.entering

    @property
    def logs(self) -> str:
        """What both services logged."""
        return "".join(machine.log.read_text() for machine in self.machines.values())

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Status and JSON of the proxy."""
        return await self.network.ask(self.machines["proxy"].port, path, body)

    async def chat(self, text: str, **fields: str) -> tuple[int, str]:
        """The status and the answer's text, or the error's code."""
        status, found = await self.ask(
            "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}
        )
        return status, found["choices"][0]["message"]["content"] if status == 200 else found["error"]["code"]

    async def wait_until(self, state: str, seconds: float = CATCH_UP_SECONDS) -> float:
        """Wait until the proxy says that it is *state*; how long that took."""
        started = monotonic()
        while (found := (await self.ask("/readyz"))[1]) is None or found["status"] != state:
            assert monotonic() < started + seconds, f"{found}:\n{self.logs}"
            await asyncio.sleep(0.2)  # each time, a program starts in the other network
        return monotonic() - started


async def visited(store: Store, count: int) -> list[Visit]:
    """The visits, oldest first, once there are *count*."""
    async with asyncio.timeout(READY_SECONDS):
        while len(visits := await store.visits()) < count:
            await asyncio.sleep(0.05)
    return visits[::-1]


async def main(directory: Path) -> None:
    """Cut one network, heal it, and check both sides."""
    networks = set_up("one", "two")
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(SimulatedSite(host=HERE))
        options = ("--bind", "127.0.0.1", HERE, "--protected-mode", "no")
        redis = stack.enter_context(running_redis(directory / "redis", a_free_port(), *options))
        store = await stack.enter_async_context(open_store(redis.url))
        one, two = (Partition(each, directory, site.url, f"redis://{HERE}:{redis.port}") for each in networks)
        for side in (one, two):
            for service, machine in side.machines.items():
                await stack.enter_async_context(machine.running(service))
        for side in (one, two):
            await side.wait_until("ready", READY_SECONDS)
        _, created = await two.ask("/v1/conversations", {})
        conversation = created["id"]
        assert (await one.chat("my name is Ada", conversation_id=conversation))[0] == 200

        before = len(await visited(store, len(await store.visits()) + 1))
        one.network.cut()  # just after a visit: neither harvester is about one
        cut_at = monotonic()
        await one.wait_until("degraded")
        figure("a proxy whose network was cut off says so after", f"{monotonic() - cut_at:.1f} s")
        assert await one.chat("hi", conversation_id=conversation) == (503, "store_unavailable")
        stranded = asyncio.create_task(one.chat("hi"))  # the site is beyond the cut too
        site.rotate_nonce()
        assert (await two.chat("hi"))[0] == 200
        _, recalled = await two.chat("[[recall]]", conversation_id=conversation)
        assert "my name is Ada" in recalled
        during = len(await visited(store, before + 2))

        one.network.heal()
        figure("it is as ready as before after", f"{await one.wait_until('ready'):.1f} s")
        assert (await one.chat("hi"))[0] == 200  # with what came meanwhile
        _, recalled = await one.chat("[[recall]]", conversation_id=conversation)
        assert "my name is Ada" in recalled
        visits = await visited(store, during + 2)
        status, found = await stranded
        assert status in (200, 502, 503, 504), (status, found)  # tried again until it healed, or told

    assert {visit.outcome for visit in visits} == {Outcome.CAPTURED}, visits
    for earlier, later in pairwise(visits):
        assert earlier.started_at + earlier.seconds <= later.started_at
        if later.trigger != "asked":
            assert later.started_at - earlier.started_at > INTERVAL_SECONDS / 2  # one harvester's pace, not that of two
    assert "Traceback" not in one.logs + two.logs, one.logs + two.logs


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
