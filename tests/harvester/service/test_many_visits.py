"""Many visits in a row, good ones and failing ones: nothing is left over, and the service does not grow."""

import os
import time
from collections.abc import Callable
from itertools import cycle, islice, pairwise, takewhile
from pathlib import Path

import pytest

from shared.models import Outcome, Visit
from shared.store import Store, open_store
from tests.figures import figure
from tests.harvester.faults import MORE, ONE_OF_EACH_KIND, Fault, Scene, working_browser
from tests.harvester.running import Installation, harvester
from tests.harvester.short_limits import CHALLENGE_PAUSE, FAILURE_PAUSE
from tests.harvester.visiting import processes_of, wait_for
from tests.site import SimulatedSite

pytestmark = [pytest.mark.timeout(1800), pytest.mark.usefixtures("as_users_run_it")]
VISITS = int(os.environ.get("TEST_VISITS", "4"))  # the benchmarks command makes a hundred
WARM_VISITS = min(10, VISITS // 2)
FAULTS = [*islice(cycle(ONE_OF_EACH_KIND + MORE), max(VISITS, len(ONE_OF_EACH_KIND)))]
WARM_FAULTS = min(10, len(FAULTS) // 2)
MOST_GROWTH = 5_000_000  # bytes
SECONDS_EACH = 12.0


async def wait_for_visits(store: Store, site: SimulatedSite, count: int) -> list[float]:
    """Wait until the site was captured *count* times; the seconds of the last visits."""

    async def poll() -> bool:
        state = await store.site_state(site.origin)
        return state is not None and state.current.generation >= count

    await wait_for(poll, f"{count} visits", seconds=SECONDS_EACH * count)
    return [visit.seconds for visit in await store.visits()]


async def test_many_visits_in_a_row_leave_nothing_and_do_not_make_the_service_grow(
    installation: Installation, site: SimulatedSite
) -> None:
    async with (
        open_store(installation.store_url) as store,
        harvester(installation, FREEAICHAT_HARVEST_INTERVAL="0.1s", FREEAICHAT_LOG_LEVEL="warning") as running,
    ):
        await wait_for_visits(store, site, WARM_VISITS)
        warm = running.system.memory_info().rss
        seconds = await wait_for_visits(store, site, VISITS)
        growth = running.system.memory_info().rss - warm
        assert await running.stop() == 0

    figure(f"harvester's RSS growth from visit {WARM_VISITS} to {VISITS}", f"{growth / 1e6:.2f} MB")
    figure("one visit, median", f"{sorted(seconds)[len(seconds) // 2]:.2f} s")
    figure(f"processes left after {VISITS} visits", str(len(processes_of(installation.workspace))))
    assert growth < MOST_GROWTH


async def visit_after(store: Store, last: str, is_meant: Callable[[Visit], bool]) -> Visit:
    """The first visit that was recorded after the one with the id *last* and is meant."""

    async def found() -> Visit | None:
        newer = takewhile(lambda visit: visit.id != last, await store.visits())
        return next(filter(is_meant, reversed(list(newer))), None)

    try:
        visit: Visit = await wait_for(found, "such a visit", seconds=2 * SECONDS_EACH)
    except AssertionError:
        print(await store.visits(limit=5))
        raise
    return visit


async def recovery_seconds(fault: Fault, scene: Scene, store: Store) -> float:
    """Make *fault* happen and end; check that the visit meanwhile reports it and that a later one captures.

    The seconds from the fault's end to a capture.
    """
    last = (await store.visits(limit=1))[0]
    async with fault.happens(scene):
        failed = await visit_after(store, last.id, fault.is_reported_by)
    over = time.time()
    captured = await visit_after(store, failed.id, lambda visit: visit.outcome is Outcome.CAPTURED)
    return captured.started_at + captured.seconds - over


def assert_pauses(visits: list[Visit]) -> None:
    """After every failure there was the pause that the policy asks for; *visits*: newest first."""
    for later, earlier in pairwise(visits):
        pause = {Outcome.CAPTURED: 0.0, Outcome.CHALLENGE: CHALLENGE_PAUSE}.get(earlier.outcome, FAILURE_PAUSE)
        assert later.started_at - (earlier.started_at + earlier.seconds) > pause - 0.05, (earlier, later)


@pytest.mark.busy
async def test_faults_that_come_and_go_are_recorded_and_recovered_from_and_leave_nothing(
    installation: Installation, site: SimulatedSite, tmp_path: Path
) -> None:
    browser = working_browser(tmp_path / "chromium")
    settings = {"FREEAICHAT_BROWSER": str(browser), "FREEAICHAT_HARVEST_INTERVAL": "0.1s"}
    recovered, warm = [], 0
    async with (
        open_store(installation.store_url) as store,
        harvester(installation, is_impatient=True, log=tmp_path / "log", **settings) as running,
    ):
        scene = Scene(site, installation, browser, running)
        await wait_for(store.visits, "the first visit")
        for number, fault in enumerate(FAULTS):
            warm = running.system.memory_info().rss if number == WARM_FAULTS else warm
            recovered.append(await recovery_seconds(fault, scene, store))
            assert_pauses(await store.visits())
        growth = running.system.memory_info().rss - warm
        assert await running.stop() == 0

    figure(f"harvester's RSS growth from fault {WARM_FAULTS} to {len(FAULTS)}", f"{growth / 1e6:.2f} MB")
    figure("from a fault's end to a capture, at most", f"{max(recovered):.1f} s")
    figure(f"processes left after {len(FAULTS)} faults", str(len(processes_of(installation.workspace))))
    assert growth < MOST_GROWTH
