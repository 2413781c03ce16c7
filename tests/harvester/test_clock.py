"""A clock that jumps while the harvester runs, as its process sees it: hours ahead, and back."""

import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shared import heartbeat
from shared.browsers import find_browser
from shared.models import Outcome, Visit
from shared.store import Store, open_store
from tests.cli.processes import program
from tests.figures import figure
from tests.harvester.running import Place, harvester
from tests.harvester.visiting import NONCE_ACTION, wait_for
from tests.site import SimulatedSite

HOUR = 3600.0
JUMPS = (0.0, 7 * HOUR, -24 * HOUR, HOUR)  # ahead of the real time
NONCE_REQUESTS = 2 * len(JUMPS)  # each visit asks for one, and each jump may bring a renewal


class Clock:
    """What the time is for processes with this environment, told by a file that they read each time."""

    def __init__(self, file: Path) -> None:
        library = subprocess.run(
            ["faketime", "-f", "+0", "sh", "-c", 'echo "$LD_PRELOAD"'], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
        self._file = file
        self.set(0.0)
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }

    def set(self, offset: float) -> None:
        """Let the clock be *offset* seconds ahead of the real one from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+.0f}\n")
        fresh.replace(self._file)
        self.offset = offset

    @property
    def now(self) -> float:
        """The time there."""
        return time.time() + self.offset


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock that goes right so far."""
    return Clock(tmp_path / "clock")


@pytest.fixture
async def place(tmp_path: Path, site: SimulatedSite) -> Place:
    """A place in front of the site."""
    return Place(tmp_path, site.url)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """The store that the harvester uses."""
    async with open_store(place.store_url) as opened:
        yield opened


async def visit_since(store: Store, moment: float, is_meant: Callable[[Visit], bool]) -> Visit:
    async def found() -> Visit | None:
        return next((one for one in await store.visits() if abs(one.started_at - moment) < 60 and is_meant(one)), None)

    visit: Visit = await wait_for(found, "it was visited at that time")
    return visit


async def test_a_clock_that_jumps_ahead_and_back_brings_the_visits_that_are_due_then(
    place: Place, store: Store, site: SimulatedSite, clock: Clock, tmp_path: Path
) -> None:
    # The browser itself goes by the real time.
    browser = program(tmp_path / "chromium", f'unset LD_PRELOAD\nexec {find_browser("").path} "$@"')
    settings = clock.environment | {"FREEAICHAT_BROWSER": str(browser)}
    took = []
    async with harvester(place, is_impatient=True, log=tmp_path / "log", **settings) as running:
        for offset in JUMPS:
            clock.set(offset)
            jumped = time.monotonic()
            await visit_since(store, clock.now, lambda visit: visit.outcome is Outcome.CAPTURED)
            took.append(time.monotonic() - jumped)
            beat_at = await wait_for(lambda: heartbeat.last_beat(store), "it runs")
            assert heartbeat.is_fresh(beat_at, clock.now)
        assert len(await store.visits()) == len(took)
        assert site.request_counts[NONCE_ACTION] <= NONCE_REQUESTS
        assert await running.stop() == 0

    figure("from a jump of the clock to the visit that is due then, at most", f"{max(took):.1f} s")
