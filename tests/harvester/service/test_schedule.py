"""The schedule, with a real store and fake visits."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harvester.service.schedule import Schedule
from shared.models import Outcome, Visit, VisitAsk
from shared.parsing import Site, site
from shared.store import Store, StoreUnavailable, open_store
from tests.harvester.service.test_renewal import stored
from tests.harvester.visiting import NONCE_ACTION
from tests.shared.samples import capture
from tests.shared.store.sqlite_files import change
from tests.site import SimulatedSite

FIRST, SECOND = site("https://chat.example/"), site("https://other.example/")
HOUR = 3600.0


class FakeVisits:
    """Fake visits that only store a capture (unless set to fail) and their record."""

    def __init__(self, store: Store, *, outcome: Outcome = Outcome.CAPTURED, seconds: float = 0.0) -> None:
        self.made: list[tuple[str, str]] = []
        self.under_way = 0
        self.errors: list[Exception] = []
        self.is_busy = False  # another process visits all the time
        self._store = store
        self._outcome = outcome
        self._seconds = seconds

    async def visit(self, site: Site, trigger: str) -> Visit | None:
        self.made.append((site.origin, trigger))
        if self.errors:
            raise self.errors.pop(0)
        if self.is_busy:
            return None
        visit = Visit(
            id=f"visit-{len(self.made)}",
            site=site.origin,
            started_at=time.time(),
            seconds=self._seconds,
            outcome=self._outcome,
            trigger=trigger,
        )
        self.under_way += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.under_way -= 1
        if self._outcome is Outcome.CAPTURED:
            state = await self._store.site_state(site.origin)
            generation = state.current.generation if state else 0
            await self._store.save_capture(capture(site=site.origin, at=time.time()), base=generation)
        await self._store.end_visit(visit, "holder")
        return visit


@asynccontextmanager
async def scheduled(
    store: Store, visits: FakeVisits, *sites: Site, interval: float = 6 * HOUR
) -> AsyncIterator[asyncio.Task[None]]:
    """The schedule, running."""
    task = asyncio.create_task(Schedule(sites or (FIRST,), store, visits, interval=interval).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def wait_until(question: Callable[[], object], *, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not question():
            await asyncio.sleep(0.01)


async def wait_for_two_polls(store: Store) -> None:
    """Wait until the schedule has looked at the store twice more: whatever was due before has begun by then."""
    looks = 0
    ask = store.pending_ask

    async def counted(origin: str) -> VisitAsk | None:
        nonlocal looks
        looks += 1
        return await ask(origin)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "pending_ask", counted)
        for name in ("nobody", "nobody-else"):
            seen = looks
            await store.ask_visit(f"https://{name}.example", "a change to look at", at=time.time())
            await wait_until(lambda: looks > seen)  # noqa: B023  (asked only here)


async def store_fresh_credentials(store: Store) -> None:
    await store.save_capture(capture(at=time.time()), base=0)


async def test_with_nothing_stored_every_site_is_visited_at_the_start(store: Store) -> None:
    visits = FakeVisits(store)
    async with scheduled(store, visits, FIRST, SECOND):
        await wait_until(lambda: len(visits.made) == 2)
        await wait_for_two_polls(store)

    assert sorted(visits.made) == [(FIRST.origin, "start"), (SECOND.origin, "start")]


async def test_fresh_credentials_are_left_alone_and_an_ask_is_heard_within_a_second(store: Store) -> None:
    await store_fresh_credentials(store)
    visits = FakeVisits(store)
    async with scheduled(store, visits):
        await wait_for_two_polls(store)
        assert visits.made == []

        await store.ask_visit(FIRST.origin, "refused", at=time.time())
        await wait_until(lambda: visits.made, seconds=1.0)

    assert visits.made == [(FIRST.origin, "asked")]


async def test_many_asks_are_one_visit_also_those_that_come_while_it_is_under_way(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.service.policy.DEMAND_PAUSES", (0.4,))  # no longer one keeps a second visit away
    await store_fresh_credentials(store)
    visits = FakeVisits(store, seconds=0.4)
    async with scheduled(store, visits):
        for _ in range(20):
            await store.ask_visit(FIRST.origin, "refused", at=time.time())
        await wait_until(lambda: visits.under_way)
        for _ in range(5):
            await store.ask_visit(FIRST.origin, "refused", at=time.time())
        await wait_until(lambda: not visits.under_way)
        for _ in range(3):
            await wait_for_two_polls(store)

    assert len(visits.made) == 1
    assert await store.pending_ask(FIRST.origin) is not None  # it is only known to be answered, not forgotten


async def test_an_ask_after_the_visit_is_a_new_one_and_waits_for_the_gap(store: Store) -> None:
    await store_fresh_credentials(store)
    visits = FakeVisits(store)
    async with scheduled(store, visits):
        for _ in range(2):
            await store.ask_visit(FIRST.origin, "refused", at=time.time())
            await wait_for_two_polls(store)

    assert len(visits.made) == 1


async def test_the_interval_is_kept(store: Store) -> None:
    visits = FakeVisits(store)
    async with scheduled(store, visits, interval=0.3):
        await wait_until(lambda: len(visits.made) >= 4)

    assert [trigger for _, trigger in visits.made[:4]] == ["start", "schedule", "schedule", "schedule"]


async def test_after_a_failure_there_is_a_pause_that_also_an_ask_or_a_restart_keeps(store: Store) -> None:
    visits = FakeVisits(store, outcome=Outcome.TIMEOUT)
    async with scheduled(store, visits):
        await wait_until(lambda: visits.made)
        await store.ask_visit(FIRST.origin, "no credentials", at=time.time())
        await wait_for_two_polls(store)
    async with scheduled(store, visits):
        await wait_for_two_polls(store)

    assert len(visits.made) == 1


async def test_a_site_that_somebody_else_visits_is_left_alone_for_a_while(store: Store) -> None:
    visits = FakeVisits(store)
    visits.is_busy = True
    async with scheduled(store, visits):
        await wait_until(lambda: visits.made)
        await wait_for_two_polls(store)

    assert len(visits.made) == 1


async def test_a_store_that_goes_away_does_not_end_the_schedule_and_is_reported_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("harvester.service.schedule.HOLD_SECONDS", 0.3)
    caplog.set_level(logging.INFO, "harvester")
    visits = FakeVisits(store)
    visits.errors = [StoreUnavailable("disk full") for _ in range(3)]
    looks = 0

    async def unavailable(*_: object) -> None:
        nonlocal looks
        looks += 1
        raise StoreUnavailable("disk full")

    started = time.monotonic()
    async with scheduled(store, visits) as task:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "set_note", unavailable)
            await wait_until(lambda: len(visits.made) >= 3)
            assert time.monotonic() - started > 0.5

            patch.setattr(store, "pending_ask", unavailable)
            looks = 0
            await store.ask_visit("https://nobody.example", "a change to look at", at=time.time())
            await wait_until(lambda: looks > 3)
        await wait_until(lambda: len(visits.made) == 4)
        await wait_until(lambda: "is back" in caplog.text)

        assert not task.done()
    logged = [record.getMessage() for record in caplog.records]
    assert sorted(logged) == [
        f"{FIRST.origin} was not visited, or the visit not recorded: disk full",
        "no heartbeat: disk full",
        "the store is away: disk full",
        "the store is back",
    ]


async def test_a_bug_is_seen_and_ends_no_visits_but_this_one(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("harvester.service.schedule.FAILURE_PAUSES", (0.3, 0.6))
    visits = FakeVisits(store)
    visits.errors = [ZeroDivisionError("a fault") for _ in range(4)]
    started = time.monotonic()
    async with scheduled(store, visits, FIRST, SECOND) as task:
        await wait_until(lambda: len(visits.made) == 6)

        assert not task.done()
    assert time.monotonic() - started > 0.3 + 0.6
    assert sorted(visits.made[-2:]) == [(FIRST.origin, "start"), (SECOND.origin, "start")]
    assert caplog.text.count("ZeroDivisionError: a fault") == 4


async def test_damage_of_one_site_does_not_delay_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "store.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store_fresh_credentials(store)
        change(path, "UPDATE sites SET current = '{'")
        visits = FakeVisits(store)
        async with scheduled(store, visits, FIRST, SECOND):
            await wait_until(lambda: visits.made)

    assert visits.made == [(SECOND.origin, "start")]
    assert f"{FIRST.origin} is not visited: the store is damaged" in caplog.text


async def test_a_nonce_is_renewed_when_it_is_old(store: Store, site: SimulatedSite) -> None:
    now = time.time()
    await stored(store, site, "0000000000", captured_at=now, nonce_checked_at=now - 4 * HOUR)
    visits = FakeVisits(store)
    async with scheduled(store, visits, Site(site.origin, site.url)):
        await wait_until(lambda: site.request_counts[NONCE_ACTION])
        await wait_for_two_polls(store)

    assert site.request_counts[NONCE_ACTION] == 1
    assert visits.made == []
    state = await store.site_state(site.origin)
    assert state is not None
    assert state.current.nonce == site.nonce


async def test_a_renewal_that_fails_brings_a_visit_and_is_repeated_after_a_pause(
    store: Store, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.behaviour.nonce_action = False
    now = time.time()
    await stored(store, site, "0000000000", captured_at=now, nonce_checked_at=now - 4 * HOUR)
    visits = FakeVisits(store, outcome=Outcome.CHALLENGE)
    async with scheduled(store, visits, Site(site.origin, site.url)):
        await wait_until(lambda: visits.made)
        await wait_for_two_polls(store)
        assert site.request_counts[NONCE_ACTION] == 1
        monkeypatch.setattr("harvester.service.policy.RENEWAL_PAUSE", 0.0)
        await wait_for_two_polls(store)
        await wait_until(lambda: site.request_counts[NONCE_ACTION] > 1)
    assert visits.made == [(site.origin, "asked")]


@pytest.mark.parametrize("ajax_url", ["https://127.0.0.1:{port}/x", "http://127.0.0.1:99999999/", "http://[::1/"])
async def test_a_renewal_that_cannot_even_be_asked_for_brings_a_visit_and_the_schedule_goes_on(
    store: Store, site: SimulatedSite, ajax_url: str
) -> None:
    now, port = time.time(), site.origin.rpartition(":")[2]  # which speaks no TLS
    old = {"captured_at": now, "nonce_checked_at": now - 4 * HOUR}
    await stored(store, site, "0000000000", ajax_url=ajax_url.format(port=port), **old)
    visits = FakeVisits(store, outcome=Outcome.CHALLENGE)
    async with scheduled(store, visits, Site(site.origin, site.url)) as schedule:
        await wait_until(lambda: visits.made or schedule.done())

        assert not schedule.done()
    assert visits.made == [(site.origin, "asked")]
