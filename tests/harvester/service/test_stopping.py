"""What is under way, comes due or stands in the store when the schedule is stopped."""

import asyncio
import time

import pytest

from shared.models import Visit
from shared.parsing import Site
from shared.processes import heartbeat
from shared.store import Store
from tests.harvester.service.test_schedule import (
    FIRST,
    SECOND,
    FakeVisits,
    scheduled,
    store_fresh_credentials,
    wait_for_two_polls,
    wait_until,
)
from tests.shared.samples import capture

INTERVAL = 1.0  # seconds: the first visit is under way sooner, also on a busy machine


class SlowToEnd(FakeVisits):
    """A visit that takes longer to end than the other site's has to wait for its own."""

    async def visit(self, site: Site, trigger: str) -> Visit | None:
        try:
            return await super().visit(site, trigger)
        except asyncio.CancelledError:
            await asyncio.sleep(3 * INTERVAL)
            raise


async def test_a_visit_that_comes_due_meanwhile_is_not_started(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await store.save_capture(capture(site=SECOND.origin, at=time.time()), base=0)
    visits = SlowToEnd(store, seconds=60)
    async with scheduled(store, visits, FIRST, SECOND, interval=INTERVAL) as task:
        await wait_until(lambda: visits.under_way)
        task.cancel()
        await asyncio.wait({task}, timeout=10)

    assert visits.made == [(FIRST.origin, "start")]
    assert caplog.records == []


async def test_stopping_ends_the_visit_under_way_first(store: Store) -> None:
    visits = FakeVisits(store, seconds=60)
    async with scheduled(store, visits) as task:
        await wait_until(lambda: visits.under_way)
        task.cancel()
        await asyncio.wait({task}, timeout=5)

        assert task.cancelled()
        assert visits.under_way == 0


async def test_the_heartbeat_is_noted_and_is_no_longer_fresh_once_it_has_stopped(store: Store) -> None:
    await store_fresh_credentials(store)
    async with scheduled(store, FakeVisits(store)):
        async with asyncio.timeout(5):
            while (beat := await heartbeat.last_beat(store)) is None:
                await asyncio.sleep(0.01)
    stopped = await heartbeat.last_beat(store)

    assert abs(time.time() - beat.at) < 10
    assert stopped == heartbeat.Heartbeat(beat.at, is_last=True)
    assert not stopped.is_fresh(time.time())


async def test_of_two_with_one_store_the_one_that_stops_takes_back_no_sign_of_the_other(store: Store) -> None:
    await store_fresh_credentials(store)
    async with scheduled(store, FakeVisits(store)):
        async with scheduled(store, FakeVisits(store)):
            await wait_for_two_polls(store)
        async with asyncio.timeout(5):
            while not (last := await heartbeat.last_beat(store)) or not last.is_fresh(time.time()):
                await asyncio.sleep(0.01)
