"""A store, a place for visits, and the site that they visit."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from harvester.service.workspace import Workspace
from shared.store import Store, open_store
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
def visits(store: Store, workspace: Workspace, site: SimulatedSite) -> Visits:
    """Visits of the site."""
    return Visits(store, workspace, site)
