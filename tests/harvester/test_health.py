"""`python -m harvester health`: whether a harvester runs, told by its heartbeat in the store."""

import signal
import time
from pathlib import Path

import pytest

from shared import heartbeat
from shared.store import open_store
from tests.harvester.running import Place, harvester, health
from tests.harvester.visiting import wait_for
from tests.site import SimulatedSite


@pytest.fixture
def place(tmp_path: Path, site: SimulatedSite) -> Place:
    """A place in front of the site."""
    return Place(tmp_path, site.url)


async def test_it_is_healthy_while_the_site_does_not_answer(place: Place, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 30
    async with open_store(place.store_url) as store, harvester(place) as running:
        await wait_for(lambda: heartbeat.last_beat(store), "it runs")
        await wait_for(lambda: site.request_counts["/"], "the page was asked for")

        code, line = await health(place)
        asked = site.request_counts["/"]

        assert (code, asked) == (0, 1)
        assert line.startswith("freeaichat: the harvester runs (last heartbeat")
        assert await running.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("age", [3600, -3600])
async def test_a_heartbeat_that_is_old_or_of_another_time_is_exit_code_1(place: Place, age: float) -> None:
    async with open_store(place.store_url) as store:
        await heartbeat.beat(store, time.time() - age)

    code, line = await health(place)

    assert code == 1
    assert "does not run" in line


async def test_where_none_ever_ran_it_is_exit_code_1(place: Place) -> None:
    code, line = await health(place)

    assert code == 1
    assert "no harvester has run" in line


async def test_a_store_that_cannot_be_read_is_exit_code_1_with_its_reason(place: Place) -> None:
    file = place.data_dir / "freeaichat.db"
    file.write_bytes(b"not a database" * 100)

    code, line = await health(place)

    assert code == 1
    assert str(file) in line
