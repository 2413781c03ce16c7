"""Many visits in a row: nothing is left over, and the service does not grow."""

import os
from pathlib import Path

import pytest

from shared.store import Store, open_store
from tests.figures import figure
from tests.harvester.running import Place, harvester
from tests.harvester.visiting import processes_of, wait_for
from tests.site import SimulatedSite

VISITS = int(os.environ.get("TEST_VISITS", "10"))  # the benchmarks command makes a hundred
WARM_VISITS = min(10, VISITS // 2)
MOST_GROWTH = 5_000_000  # bytes
SECONDS_EACH = 10.0


async def visited(store: Store, site: SimulatedSite, count: int) -> list[float]:
    """Wait until the site was captured *count* times; the seconds of the last visits."""

    async def enough() -> bool:
        state = await store.site_state(site.origin)
        return state is not None and state.current.generation >= count

    await wait_for(enough, f"{count} visits", seconds=SECONDS_EACH * count)
    return [visit.seconds for visit in await store.visits()]


@pytest.mark.timeout(1800)
async def test_many_visits_in_a_row_leave_nothing_and_do_not_make_the_service_grow(
    tmp_path: Path, site: SimulatedSite
) -> None:
    place = Place(tmp_path, site.url)
    async with (
        open_store(place.store_url) as store,
        harvester(place, FREEAICHAT_HARVEST_INTERVAL="0.1s", FREEAICHAT_LOG_LEVEL="warning") as running,
    ):
        await visited(store, site, WARM_VISITS)
        warm = running.system.memory_info().rss
        seconds = await visited(store, site, VISITS)
        growth = running.system.memory_info().rss - warm
        assert await running.stop() == 0

    figure(f"harvester's RSS growth from visit {WARM_VISITS} to {VISITS}", f"{growth / 1e6:.2f} MB")
    figure("one visit, median", f"{sorted(seconds)[len(seconds) // 2]:.2f} s")
    left = processes_of(place.workspace)
    figure(f"processes left after {VISITS} visits", str(len(left)))
    assert left == []
    assert not place.workspace.exists()
    assert growth < MOST_GROWTH
