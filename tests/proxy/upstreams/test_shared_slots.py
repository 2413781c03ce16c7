"""Slots on a site that several proxies share: the limit holds, all are served, and outages of the store."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic, time

import aiohttp
import pytest

from proxy.upstreams.shared_slots import SharedSlots
from proxy.upstreams.slots import Slots
from shared.store import Store, StoreUnavailable, open_store
from shared.store.slots import LEASE_SECONDS, Claim, Share
from tests.figures import figure
from tests.ports import a_free_port
from tests.proxy.running import capture, running_proxy
from tests.proxy.serving import ask, serving
from tests.redis_server import RedisServer
from tests.site import SimulatedSite

MOST = 4
CLIENTS = 16
SITE = "https://chat.example"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def most_open(site: SimulatedSite, seen: list[int]) -> None:
    """Note the most streams that were ever open at the site."""
    while True:
        seen[0] = max(seen[0], site.open_streams)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("backend", ["sqlite", "redis"])
async def test_two_proxies_of_one_store_keep_the_limit_and_serve_all(
    site: SimulatedSite, tmp_path: Path, http: aiohttp.ClientSession, backend: str, request: pytest.FixtureRequest
) -> None:
    settings = {"FREEAICHAT_MAX_UPSTREAM": str(MOST)}
    if backend == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        settings["FREEAICHAT_STORE"] = server.url
        async with open_store(server.url) as store:
            await store.save_capture(await capture(site), base=0)
    ports = [a_free_port(), a_free_port()]
    async with AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(serving(site, tmp_path, port, **settings))
        seen = [0]
        watching = asyncio.create_task(most_open(site, seen))
        start = monotonic()
        for split in (CLIENTS // 2, CLIENTS):  # both as busy, then all at one
            turns = [
                ask(http, ports[number >= split], "[[tokens:20]] [[delay:0.01]]", stream=number % 2 == 0)
                for number in range(CLIENTS)
            ]
            answers = await asyncio.gather(*turns)
            assert {status for status, _ in answers} == {200}, answers
        seconds = monotonic() - start
        watching.cancel()

    figure(f"{2 * CLIENTS} turns of two proxies over {MOST} slots, {backend}", f"{seconds:.1f} s, {seen[0]} open")
    assert seen[0] == MOST


@pytest.mark.alone
async def test_a_burst_at_one_proxy_does_not_keep_the_other_from_its_part(site: SimulatedSite, tmp_path: Path) -> None:
    async with (
        running_proxy(site, tmp_path, max_upstream=MOST) as busy,
        running_proxy(site, tmp_path, max_upstream=MOST) as other,
    ):
        many = [asyncio.create_task(busy.chat("[[tokens:20]] [[delay:0.02]]")) for _ in range(40)]
        async with asyncio.timeout(10):
            while site.open_streams < MOST:  # one has all the slots
                await asyncio.sleep(0.01)
        start = monotonic()
        assert (await other.chat("hi")).status == 200
        waited = monotonic() - start
        assert sum(each.done() for each in many) < len(many) - MOST
        assert {answer.status for answer in await asyncio.gather(*many)} == {200}

    figure("first turn at a proxy while another has a queue", f"{waited:.2f} s")
    assert waited < 1.5


class FlakyStore:
    """Slots of a store that may be unavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_away = False
        self.claims = 0
        self.asked: Callable[[Claim], None] = lambda claim: None

    async def acquire_slots(self, site: str, claim: Claim, *, limit: int, at: float) -> Share:
        self.claims += 1
        self.asked(claim)
        if self.is_away:
            raise StoreUnavailable("gone fishing")
        return await self._store.acquire_slots(site, claim, limit=limit, at=at)

    async def release_slots(self, site: str, holder: str) -> None:
        await self._store.release_slots(site, holder)


@pytest.fixture
async def flaky_store(tmp_path: Path) -> AsyncIterator[FlakyStore]:
    async with open_store(f"sqlite:///{tmp_path}/store.db") as store:
        yield FlakyStore(store)


def shared(store: FlakyStore) -> tuple[Slots, SharedSlots]:
    slots = Slots(MOST)
    return slots, SharedSlots(store, SITE, slots)  # type: ignore[arg-type]  # only its slots are used


async def test_held_slots_survive_an_outage_of_the_store(flaky_store: FlakyStore) -> None:
    (slots, one), (other_slots, other), (none, late) = shared(flaky_store), shared(flaky_store), shared(flaky_store)
    for _ in range(3):
        await one.claim()
        await other.claim()
    for _ in range(2):
        await slots.take("a")
        await one.claim()
    await late.claim()
    assert (slots.allowed, other_slots.allowed, none.allowed) == (3, 1, 0)
    flaky_store.is_away = True
    for _ in range(3):
        await one.claim()
        await other.claim()
        await late.claim()

    assert (slots.allowed, other_slots.allowed, none.allowed) == (3, 1, 1)
    assert one.store_trouble == "gone fishing"
    flaky_store.is_away = False
    for _ in range(3):
        await one.claim()
        await other.claim()
    assert 2 <= slots.allowed + other_slots.allowed <= MOST
    assert one.store_trouble is None


async def test_slots_are_claimed_again_after_an_outage(
    flaky_store: FlakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.upstreams.shared_slots.ALONE_PAUSE", 0.01)
    slots, one = shared(flaky_store)
    await one.claim()
    keeping = asyncio.create_task(one.keep())
    for is_away in (True, False):
        flaky_store.is_away = is_away
        async with asyncio.timeout(5):
            while (one.store_trouble is not None) != is_away:
                await asyncio.sleep(0.005)
    keeping.cancel()

    assert slots.allowed == MOST


async def test_a_proxy_that_leaves_returns_its_slots_at_once(flaky_store: FlakyStore) -> None:
    (_, one), (other_slots, other) = shared(flaky_store), shared(flaky_store)
    await one.claim()
    await other.claim()
    assert other_slots.allowed < MOST
    await one.leave()
    await other.claim()

    assert other_slots.allowed == MOST


@pytest.mark.parametrize(("taken", "allowed"), [(0, 0), (MOST, MOST // 2)])
async def test_only_free_slots_are_returned_and_none_is_taken_meanwhile(
    flaky_store: FlakyStore, taken: int, allowed: int
) -> None:
    (slots, one), (other_slots, other) = shared(flaky_store), shared(flaky_store)
    await one.claim()
    for _ in range(taken):
        await slots.take("a")
    waiting = [asyncio.create_task(other_slots.take("b")) for _ in range(MOST // 2)]
    await asyncio.sleep(0)
    claims: list[tuple[int, int]] = []
    flaky_store.asked = lambda claim: claims.append((slots.allowed, claim.kept))
    for _ in range(2):
        await other.claim()
        await one.claim()
    for each in waiting:
        each.cancel()

    assert claims[-1] == (allowed, taken)


async def test_a_proxy_that_never_reached_the_store_serves_as_if_it_were_alone(flaky_store: FlakyStore) -> None:
    flaky_store.is_away = True
    slots, one = shared(flaky_store)
    await one.claim()
    await one.claim()

    assert slots.allowed == MOST


async def test_a_proxy_whose_lease_expired_takes_no_slot_held_by_others(
    flaky_store: FlakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots, one = shared(flaky_store)
    await one.claim()
    monkeypatch.setattr("proxy.upstreams.shared_slots.time", lambda: time() + LEASE_SECONDS + 1)
    other_slots, other = shared(flaky_store)
    await other.claim()
    assert (slots.allowed, other_slots.allowed) == (MOST, MOST)

    for _ in range(3):
        await one.claim()
        await other.claim()
    assert slots.allowed + other_slots.allowed <= MOST


async def test_a_single_proxy_takes_no_slots_from_the_store(flaky_store: FlakyStore) -> None:
    slots, one = shared(flaky_store)
    await one.claim()
    keeping = asyncio.create_task(one.keep())
    before = flaky_store.claims
    for _ in range(100):
        for caller in "abab":
            await slots.take(caller)
        await asyncio.sleep(0)
        for _ in range(4):
            slots.leave()
    keeping.cancel()

    assert flaky_store.claims == before
