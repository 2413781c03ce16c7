"""Fixtures: a store, a workspace, the simulated site, and a harvester's place in front of it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from harvester.service.workspace import Workspace
from shared.store import Store, open_store
from tests.harvester.one_browser import OneBrowser, one_browser
from tests.harvester.running import Installation
from tests.harvester.visiting import Visits, processes_of
from tests.site import SimulatedSite


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store, open."""
    async with open_store(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace of the test's own; nothing may be left of it, nor any process."""
    workspace = Workspace(f"sqlite:///{tmp_path}/store.db")
    yield workspace
    assert processes_of(workspace.path) == []
    assert not workspace.path.exists()


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    """The simulated site, running."""
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def installation(tmp_path: Path, site: SimulatedSite) -> AsyncIterator[Installation]:
    """A harvester's place that is left clean: no process, no temporary directory."""
    installation = Installation(tmp_path, site.url)
    yield installation
    assert processes_of(installation.workspace) == []
    assert not installation.workspace.exists()


@pytest.fixture(scope="session")
def browser() -> Iterator[OneBrowser]:
    """A browser that makes the visits of many tests."""
    with one_browser() as running:
        yield running


@pytest.fixture
def visits(store: Store, workspace: Workspace, site: SimulatedSite, browser: OneBrowser) -> Visits:
    """Visits of the site, in a browser that other tests visit with too."""
    return Visits(store, workspace, site, browser)


@pytest.fixture
def own_visits(store: Store, workspace: Workspace, site: SimulatedSite) -> Visits:
    """Visits of the site as the service makes them: each in a process and a browser of its own."""
    return Visits(store, workspace, site)
