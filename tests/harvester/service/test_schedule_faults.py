"""What the schedule does after a fault is over, or what was wanted is wanted no more."""

import asyncio
import logging
import time
from dataclasses import replace

import pytest

from shared.store import Store, StoreUnavailable
from tests.harvester.service.test_schedule import (
    FIRST,
    FakeVisits,
    scheduled,
    store_fresh_credentials,
    wait_for_two_polls,
    wait_until,
)
from tests.shared.samples import capture, visit

LATER = 60.0  # seconds: longer than any test waits


async def test_every_outage_of_the_store_is_reported_and_its_end_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unavailable(*_: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr("harvester.service.schedule.HOLD_SECONDS", 0.3)
    caplog.set_level(logging.INFO, "harvester")
    await store_fresh_credentials(store)
    async with scheduled(store, FakeVisits(store)):
        for count in (1, 2):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store, "pending_ask", unavailable)
                await store.ask_visit("https://nobody.example", f"change {count}", at=time.time())
                await wait_until(lambda: caplog.text.count("the store is away: disk full") == count)  # noqa: B023
            await wait_until(lambda: caplog.text.count("the store is back") == count, seconds=5.0)  # noqa: B023


async def test_after_a_good_visit_a_fault_has_the_shortest_pause_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.service.schedule.FAILURE_PAUSES", (0.3, LATER))
    monkeypatch.setattr("harvester.service.policy.DEMAND_PAUSES", (0.5,))
    visits = FakeVisits(store)
    visits.errors = [ZeroDivisionError("a fault")]
    async with scheduled(store, visits):
        async with asyncio.timeout(10.0):
            while not await store.visits():
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.0)  # by then the schedule has seen that, and waits
        visits.errors = [ZeroDivisionError("a fault")]
        await store.ask_visit(FIRST.origin, "refused", at=time.time())
        await wait_until(lambda: len(visits.made) == 4)


async def test_a_visit_that_was_asked_for_is_not_made_once_another_process_has_made_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand captured values are visited for an ask alone."""
    monkeypatch.setattr("harvester.service.policy.FAILURE_PAUSES", (5.0, LATER))
    typed = capture(at=time.time())
    await store.save_capture(replace(typed, credentials=replace(typed.credentials, source="manual")), base=0)
    await store.ask_visit(FIRST.origin, "refused", at=time.time())
    visits = FakeVisits(store)
    await store.end_visit(visit(1, site=FIRST.origin, at=time.time() - 1.5), "other")  # it failed: a pause
    async with scheduled(store, visits):
        await wait_for_two_polls(store)
        answering = replace(visit(2, site=FIRST.origin, at=time.time()), seconds=0.0)  # ended, and not in the future
        await store.end_visit(answering, "other")
        await asyncio.sleep(6.0)

    assert visits.made == []
