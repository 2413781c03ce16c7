"""The harvester as a process: it visits, answers asks, stops, and comes back after a kill -9."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import psutil
import pytest

from shared.models import Cause, Credentials, Outcome, Visit
from shared.processes import heartbeat
from shared.store import Store, open_store
from tests.cli.processes import is_alive
from tests.figures import figure
from tests.harvester.faults import signal_one, worker
from tests.harvester.running import Installation, Running, harvester
from tests.harvester.short_limits import LIMITS, MARGIN_SECONDS
from tests.harvester.visiting import wait_for
from tests.proxy.running import capture
from tests.site import SimulatedSite

KILLS = int(os.environ.get("TEST_KILLS", "2"))  # the benchmarks command kills twenty times

HUNG_SECONDS = LIMITS.visit + MARGIN_SECONDS


@pytest.fixture
async def store(installation: Installation) -> AsyncIterator[Store]:
    """The store that the harvester uses."""
    async with open_store(installation.store_url) as opened:
        yield opened


async def captured(store: Store, site: SimulatedSite, *, after: int = 0, seconds: float = 60.0) -> Credentials:
    """The credentials that are captured after generation *after*."""

    async def poll() -> Credentials | None:
        state = await store.site_state(site.origin)
        return state.current if state and state.current.generation > after else None

    found: Credentials = await wait_for(poll, "credentials were captured", seconds=seconds)
    return found


async def recorded(store: Store, count: int = 1) -> list[Visit]:
    """All visits, once there are *count*."""

    async def poll() -> list[Visit]:
        visits = await store.visits()
        return visits if len(visits) >= count else []

    found: list[Visit] = await wait_for(poll, f"{count} visits were recorded")
    return found


async def wait_for_page_load(running: Running, site: SimulatedSite, count: int = 1) -> None:
    """Wait until a browser is waiting for the site's page."""
    await wait_for(lambda: site.request_counts["/"] >= count, "the page was asked for")
    assert len(running.family()) > 3


async def test_it_visits_at_the_start_uses_little_memory_while_waiting_stops_at_a_signal_and_logs_no_secret(
    installation: Installation, store: Store, site: SimulatedSite, tmp_path: Path
) -> None:
    site.behaviour.page_cookies = ["secret_cookie=verysecretvalue; Path=/"]
    log, pages = tmp_path / "log", f"{site.url} {site.origin}/other/"
    async with harvester(installation, log=log, FREEAICHAT_LOG_LEVEL="debug", FREEAICHAT_SITES=pages) as running:
        found = await captured(store, site)
        visit = (await recorded(store))[0]
        await wait_for(lambda: running.family() == [], "the browser is gone")
        await wait_for(lambda: store.get_note(heartbeat.NOTE), "it runs")
        memory = running.system.memory_full_info()
        files = {each.path for each in running.system.memory_maps()}

        assert (visit.outcome, visit.trigger) == (Outcome.CAPTURED, "start")
        assert await running.stop() == 0

    figure("harvester between visits, PSS", f"{memory.pss / 1e6:.0f} MB")
    assert memory.pss < 50_000_000
    assert not any("playwright" in Path(file).parts for file in files)
    text = log.read_text()
    assert "captured in" in text
    assert f"FREEAICHAT_SITES has {site.origin}/other/ after {site.url}, which alone is used" in text
    for secret in (found.nonce, found.session_id, "verysecretvalue"):
        assert secret not in text


async def test_an_ask_through_the_store_brings_a_visit(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    now = time.time()
    visit = Visit(id="v", site=site.origin, started_at=now - 60, seconds=1.0, outcome=Outcome.CAPTURED)
    assert await store.begin_visit(site.origin, "test", at=now, ttl=60)
    await store.save_capture(await capture(site), base=0)
    await store.end_visit(visit, "test")
    async with harvester(installation):
        asked_at = time.monotonic()
        await store.ask_visit(site.origin, "refused", at=time.time())
        await captured(store, site, after=1)

        assert time.monotonic() - asked_at < 10
        assert [visit.trigger for visit in await recorded(store, 2)] == ["asked", ""]


async def test_a_visit_under_way_is_ended_and_recorded_within_seconds(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 30
    async with harvester(installation) as running:
        await wait_for_page_load(running, site)
        family = running.family()

        assert await running.stop() == 0

    assert not any(is_alive(process.pid) for process in family)
    assert [visit.reason for visit in await store.visits()] == ["the harvester was stopped during this visit"]


async def test_a_visit_that_ended_while_the_harvester_stood_still_did_not_hang(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 30
    async with harvester(installation, is_impatient=True) as running:
        await wait_for_page_load(running, site)
        running.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(HUNG_SECONDS)
        running.process.send_signal(signal.SIGCONT)
        visit = (await recorded(store))[-1]

    assert (visit.cause, "hung" in visit.reason) == (Cause.SILENT, False)


async def test_stopped_at_any_moment_it_leaves_nothing_and_exits_0(
    installation: Installation, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 0.3
    for number in range(2 * KILLS):
        async with harvester(installation) as running:
            await wait_for(lambda: running.system.num_threads() > 1, "it has opened its store")
            await asyncio.sleep(number * 0.8 / KILLS / 2)

            assert await running.stop() == 0
        assert not installation.workspace.exists(), number


async def test_it_ends_with_its_parent(installation: Installation, store: Store, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 30
    async with harvester(installation) as running:
        await wait_for_page_load(running, site)
        running.cut_off()

        assert await asyncio.wait_for(running.process.wait(), 5) == 0
    assert len(await store.visits()) == 1


async def test_after_a_kill_its_visit_ends_by_itself_and_the_next_start_captures_within_ten_seconds(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 30
    async with harvester(installation) as running:
        await wait_for_page_load(running, site)
        family = running.family()
        await running.stop(signal.SIGKILL)
        await wait_for(lambda: not any(is_alive(process.pid) for process in family), "all is gone", seconds=5)
    site.behaviour.page_delay = 0
    killed_at = time.monotonic()
    async with harvester(installation):
        await captured(store, site)

        assert time.monotonic() - killed_at < 10
        visits = await recorded(store, 2)
    assert [(visit.outcome, visit.trigger) for visit in visits] == [
        (Outcome.CAPTURED, "start"),
        (Outcome.BROWSER_ERROR, "start"),
    ]
    assert visits[1].reason == "the harvester was killed during this visit"


async def test_what_a_killed_harvester_and_its_killed_visit_left_is_swept_at_the_next_start(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    site.behaviour.page_delay = 30
    async with harvester(installation) as running:
        await wait_for_page_load(running, site)
        running.process.send_signal(signal.SIGSTOP)  # so that it cannot tidy up after its visit
        await wait_for(lambda: running.system.status() == psutil.STATUS_STOPPED, "it has stopped")
        await signal_one(installation.workspace, worker)
        await running.stop(signal.SIGKILL)
    left = await asyncio.to_thread(lambda: list(installation.workspace.glob("visit-*")))
    assert len(left) == 1
    site.behaviour.page_delay = 0
    async with harvester(installation):
        await captured(store, site)

        assert not left[0].exists()


async def test_killed_at_random_moments_it_always_captures_again_as_the_same_guest(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(harvester(installation, FREEAICHAT_HARVEST_INTERVAL="0.3s"))
        first = await captured(store, site)
        slowest = 0.0
        for number in range(KILLS):
            await asyncio.sleep(0.4 + number * 1.7 / KILLS)
            await running.stop(signal.SIGKILL)
            started = time.monotonic()
            state = await store.site_state(site.origin)
            assert state is not None
            running = await stack.enter_async_context(harvester(installation, FREEAICHAT_HARVEST_INTERVAL="0.3s"))
            recaptured = await captured(store, site, after=state.current.generation)
            slowest = max(slowest, time.monotonic() - started)
            assert recaptured.session_id == first.session_id

    figure(f"{KILLS} times kill -9 of the harvester in visits: captured again within", f"{slowest:.1f} s")
    assert slowest < 10


async def test_values_typed_by_hand_need_no_browser_until_somebody_asks(
    installation: Installation, store: Store, site: SimulatedSite
) -> None:
    async with harvester(installation, SESSION_ID="typed-session", AJAX_NONCE=site.nonce, COOKIE="a=1") as running:
        found = await captured(store, site)

        assert (found.source, found.session_id) == ("manual", "typed-session")
        await wait_for(lambda: running.family() == [], "what was started in case of a visit has ended")

        await store.ask_visit(site.origin, "refused", at=time.time())
        visited = await captured(store, site, after=found.generation)

        assert [visit.trigger for visit in await recorded(store, 1)] == ["asked"]  # one at the start would be first
        assert (visited.source, visited.session_id, visited.cookie) == ("visit", "typed-session", "a=1")
