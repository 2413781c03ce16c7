"""A clock that jumps while the schedule runs: hours ahead, and back. The loop's own clock never does."""

import asyncio
import time
from datetime import datetime, tzinfo
from typing import Self

import pytest

from shared.parsing import Site
from shared.processes import heartbeat
from shared.store import Store
from tests.figures import figure
from tests.harvester.service.test_renewal import stored
from tests.harvester.service.test_schedule import HOUR, FakeVisits, scheduled, wait_for_two_polls, wait_until
from tests.harvester.visiting import NONCE_ACTION
from tests.site import SimulatedSite

HEARTBEAT_SECONDS = 0.1
VISIT_SECONDS = 0.7
JUMPS = (0.0, 7 * HOUR, -24 * HOUR, HOUR)  # ahead of the real time


class Clock:
    """A fake of the module `time` whose clock can be set."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.offset = 0.0

    def time(self) -> float:
        """The time here."""
        return time.time() + self.offset

    def datetime(self) -> type[datetime]:
        """A class `datetime` that goes by this clock."""
        clock = self

        class Moment(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls.fromtimestamp(clock.time(), tz)

        return Moment


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which schedule, renewals, timers and visits go."""
    clock = Clock()
    for module in ("harvester.service.schedule", "harvester.service.renewal", "tests.harvester.service.test_schedule"):
        monkeypatch.setattr(f"{module}.time", clock)
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", clock.datetime())
    monkeypatch.setattr("shared.processes.heartbeat.EVERY_SECONDS", HEARTBEAT_SECONDS)
    return clock


async def test_a_clock_that_jumps_brings_the_visit_that_is_due_then_and_no_other(
    store: Store, site: SimulatedSite, clock: Clock
) -> None:
    visits = FakeVisits(store, seconds=VISIT_SECONDS)
    took = []
    async with scheduled(store, visits, Site(site.origin, site.url)):
        for number, clock.offset in enumerate(JUMPS, start=1):
            jumped = time.monotonic()
            await wait_until(lambda: len(visits.made) == number)  # noqa: B023  (asked only here)
            took.append(time.monotonic() - jumped)
            await wait_until(lambda: not visits.under_way)
            async with asyncio.timeout(10):
                while not (last := await heartbeat.last_beat(store)) or not last.is_fresh(clock.time()):
                    await asyncio.sleep(0.01)
            await wait_for_two_polls(store)
            assert len(visits.made) == number
    figure("from a jump of the clock to the visit that is due then, at most", f"{max(took):.1f} s")


@pytest.mark.parametrize("jump", [7 * HOUR, -24 * HOUR])
async def test_schedule_and_heartbeat_follow_a_jump_of_the_clock_before_the_next_heartbeat_is_due(
    store: Store, site: SimulatedSite, clock: Clock, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """So does a machine that wakes: the loop's clock stood still while it slept."""
    monkeypatch.setattr("shared.processes.heartbeat.EVERY_SECONDS", 30.0)
    visits = FakeVisits(store)
    async with scheduled(store, visits, Site(site.origin, site.url)):
        await wait_until(lambda: len(visits.made) == 1)
        await wait_until(lambda: not visits.under_way)
        await asyncio.sleep(1.0)  # by then the schedule has seen that, and waits
        clock.offset = jump
        await wait_until(lambda: len(visits.made) == 2, seconds=5.0)
        async with asyncio.timeout(5.0):
            while not (last := await heartbeat.last_beat(store)) or not last.is_fresh(clock.time()):
                await asyncio.sleep(0.01)


async def test_a_nonce_that_was_checked_before_the_clock_was_set_back_is_checked_again_once(
    store: Store, site: SimulatedSite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.service.policy.RENEWAL_PAUSE", 0.0)  # which follows a failure alone
    visits = FakeVisits(store)
    await stored(store, site, site.nonce, captured_at=clock.time(), nonce_checked_at=clock.time() + 24 * HOUR)
    async with scheduled(store, visits, Site(site.origin, site.url)):
        await wait_until(lambda: site.request_counts[NONCE_ACTION])
        for _ in range(3):
            await wait_for_two_polls(store)

    assert site.request_counts[NONCE_ACTION] == 1
    assert visits.made == []
