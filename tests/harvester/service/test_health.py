"""`python -m harvester health`: whether a harvester runs, told by its heartbeat in the store."""

import signal
import time
from pathlib import Path

import pytest

from shared.models import Outcome
from shared.processes import heartbeat
from shared.store import open_store
from tests.harvester.faults import signal_one, worker
from tests.harvester.running import Installation, harvester, health
from tests.harvester.visiting import processes_of, wait_for
from tests.site import SimulatedSite


async def test_it_is_healthy_while_the_site_does_not_answer(installation: Installation, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 30
    async with open_store(installation.store_url) as store, harvester(installation) as running:
        await wait_for(lambda: heartbeat.last_beat(store), "it runs")
        await wait_for(lambda: site.request_counts["/"], "the page was asked for")

        code, line = await health(installation)
        requests = site.request_counts["/"]

        assert (code, requests) == (0, 1)
        assert line.startswith("freeaichat: the harvester runs (last heartbeat")
        assert await running.stop(signal.SIGTERM) == 0


async def test_the_heartbeat_goes_on_while_a_visit_hangs(installation: Installation, site: SimulatedSite) -> None:
    site.behaviour.page_delay = 1.0
    async with open_store(installation.store_url) as store, harvester(installation, is_impatient=True) as running:
        await signal_one(installation.workspace, worker, signal.SIGSTOP)
        hung_at = (await wait_for(lambda: heartbeat.last_beat(store), "it runs")).at

        async def later() -> bool:
            last = await heartbeat.last_beat(store)
            return last is not None and last.at >= hung_at + 2

        await wait_for(later, "the heartbeat went on for two seconds", seconds=5.0)
        assert await store.visits() == []
        assert await running.stop() == 0
    assert processes_of(installation.workspace) == []


async def test_a_store_that_is_away_at_the_start_is_waited_for(installation: Installation, tmp_path: Path) -> None:
    file, moved = installation.data_dir / "freeaichat.db", tmp_path / "aside"
    file.mkdir()  # as long as that stands there, nothing can be opened
    log = tmp_path / "log"
    async with harvester(installation, is_impatient=True, log=log) as running:
        await wait_for(lambda: "trying again" in log.read_text(), "it has tried")
        assert running.process.returncode is None

        file.rename(moved)
        async with open_store(installation.store_url) as store:
            visits = await wait_for(store.visits, "it visits")

    assert [visit.outcome for visit in visits] == [Outcome.CAPTURED]


@pytest.mark.parametrize("age", [3600, -3600])
async def test_a_heartbeat_that_is_old_or_of_another_time_is_exit_code_1(
    installation: Installation, age: float
) -> None:
    async with open_store(installation.store_url) as store:
        await heartbeat.beat(store, time.time() - age)

    code, line = await health(installation)

    assert code == 1
    assert "does not run" in line


async def test_health_is_exit_code_1_where_no_harvester_ever_ran(installation: Installation) -> None:
    code, line = await health(installation)

    assert code == 1
    assert "no harvester has run" in line


async def test_a_store_that_cannot_be_read_is_exit_code_1_with_its_reason(installation: Installation) -> None:
    file = installation.data_dir / "freeaichat.db"
    file.write_bytes(b"not a database" * 100)

    code, line = await health(installation)

    assert code == 1
    assert str(file) in line
