"""Slots on a site: bounded, fair, never lost or doubled; and the bound on all requests."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

import proxy.upstreams.slots
from proxy.chat.errors import ServiceError
from proxy.upstreams.slots import Slots
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

SLOTS = 4
HELD = "[[delay:0.08]] [[tokens:20]]"  # more than a second
WORDS = "".join(f"word{number} " for number in range(1, 21))


@asynccontextmanager
async def slot(slots: Slots, caller: str) -> AsyncIterator[None]:
    """Hold a slot."""
    await slots.take(caller)
    try:
        yield
    finally:
        slots.leave()


async def hold_slot(slots: Slots, caller: str, order: list[str] | None = None, *, ticks: int = 1) -> None:
    """Hold a slot for some turns of the loop; append the caller to *order*."""
    async with slot(slots, caller):
        if order is not None:
            order.append(caller)
        for _ in range(ticks):
            await asyncio.sleep(0)


async def free_slots(slots: Slots) -> int:
    """How many can be held at once without waiting."""
    held = [asyncio.create_task(hold_slot(slots, "anyone", ticks=10)) for _ in range(SLOTS * 3)]
    await asyncio.sleep(0)
    found = slots.open
    await asyncio.gather(*held)
    return found


async def refusal(work: Awaitable[None]) -> ServiceError:
    with pytest.raises(ServiceError) as exc_info:
        await work
    return exc_info.value


async def test_a_shortage_is_told_once_the_last_slot_is_taken_where_more_may_be_had() -> None:
    slots = Slots(SLOTS)
    slots.allow(2)

    async with slot(slots, "one"):
        assert not slots.shortage.is_set()
        async with slot(slots, "two"):
            assert slots.shortage.is_set()


@pytest.mark.parametrize("seed", range(40))
async def test_no_slot_is_lost_or_doubled(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.upstreams.slots, "WAIT_SECONDS", 0.004)
    monkeypatch.setattr(proxy.upstreams.slots, "MAX_WAITING", 20)
    chance = random.Random(seed)
    slots = Slots(SLOTS)
    most = PeakCounter()
    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(visit(slots, chance, most)))
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.1:
            keep_busy(chance.uniform(0, 0.006))  # deadlines pass meanwhile
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
        assert slots.queued <= 20
    await asyncio.gather(*tasks, return_exceptions=True)

    assert most.seen == SLOTS
    assert (slots.open, slots.queued, most.now) == (0, 0, 0)
    monkeypatch.setattr(proxy.upstreams.slots, "WAIT_SECONDS", 20.0)
    assert await free_slots(slots) == SLOTS


def keep_busy(seconds: float) -> None:
    """Let nothing else run for a while."""
    time.sleep(seconds)


class PeakCounter:
    """Counts the slots in use and their peak."""

    def __init__(self) -> None:
        self.now = self.seen = 0


async def visit(slots: Slots, chance: random.Random, most: PeakCounter) -> None:
    with suppress(ServiceError):
        async with slot(slots, f"caller {chance.randrange(5)}"):
            most.now += 1
            most.seen = max(most.seen, most.now)
            try:
                for _ in range(chance.randrange(30)):
                    await asyncio.sleep(0)
                if chance.random() < 0.2:
                    await asyncio.sleep(0.002)
            finally:
                most.now -= 1


async def test_a_slot_that_comes_in_the_moment_of_the_deadline_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.upstreams.slots, "WAIT_SECONDS", 0.05)
    slots = Slots(1)
    async with slot(slots, "first"):
        waiting = asyncio.create_task(hold_slot(slots, "second"))
        # The loop is busy when the slot is given back, and goes on when the deadline has passed too.
        asyncio.get_running_loop().call_later(0.03, keep_busy, 0.04)
        await asyncio.sleep(0.03)
    with suppress(ServiceError):
        await waiting

    await hold_slot(slots, "third")
    assert (slots.open, slots.queued) == (0, 0)


async def test_a_caller_with_a_hundred_waiting_does_not_delay_one_with_one() -> None:
    slots = Slots(1)
    order: list[str] = []
    async with slot(slots, "many"):
        tasks = [asyncio.create_task(hold_slot(slots, "many", order)) for _ in range(100)]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(hold_slot(slots, "one", order)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert order.index("one") == 1
    assert len(order) == 101


async def test_callers_take_turns_and_each_is_served_in_its_own_order() -> None:
    slots = Slots(1)
    order: list[str] = []
    async with slot(slots, "x"):
        tasks = [asyncio.create_task(hold_slot(slots, caller, order)) for caller in "aaabbc"]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert "".join(order) == "abcaba"


async def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.upstreams.slots, "MAX_WAITING", 3)
    slots = Slots(1)
    async with slot(slots, "x"):
        tasks = [asyncio.create_task(hold_slot(slots, "x")) for _ in range(3)]
        await asyncio.sleep(0)
        error = await refusal(hold_slot(slots, "y"))
        assert slots.queued == 3
    await asyncio.gather(*tasks)

    assert (error.status, error.code) == (429, "rate_limit_exceeded")


async def test_whoever_leaves_the_queue_no_longer_counts() -> None:
    slots = Slots(1)
    async with slot(slots, "x"):
        waiting = [asyncio.create_task(hold_slot(slots, "y")) for _ in range(2)]
        await asyncio.sleep(0)
        assert slots.demand == 3
        waiting[0].cancel()
        await asyncio.wait([waiting[0]])
        assert (slots.demand, slots.queued) == (2, 1)
    await waiting[1]

    assert slots.demand == 0


async def test_a_wait_that_times_out_gives_retry_after(
    site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.upstreams.slots, "WAIT_SECONDS", 0.3)
    async with running_proxy(site, tmp_path, max_upstream=1) as running:
        first = asyncio.create_task(running.chat(HELD))
        while not site.open_streams:
            await asyncio.sleep(0.01)
        for stream in (False, True):
            answer = await running.chat("hi", stream=stream)
            assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
            assert int(answer.headers["retry-after"]) >= 1
        assert (await first).text == WORDS
        assert (await running.chat("hi")).status == 200


async def test_requests_above_the_limit_are_refused_and_probes_still_answered(
    site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, max_requests=2) as running:
        held = [asyncio.create_task(running.chat(HELD)) for _ in range(2)]
        while site.open_streams < 2:
            await asyncio.sleep(0.01)
        answer = await running.chat("hi")
        for path in ("healthz", "readyz"):
            async with running.http.get(f"{running.url}/{path}") as response:
                assert response.status == 200
        assert [whole.text for whole in await asyncio.gather(*held)] == [WORDS] * 2
        again = await running.chat("hi")

    assert (answer.status, answer.code) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) >= 1
    assert again.status == 200
