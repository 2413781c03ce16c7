"""The simulated site and a proxy in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    """The site, with its default bots."""
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def proxy(site: SimulatedSite, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy whose store holds fresh credentials of the site."""
    async with running_proxy(site, tmp_path) as running:
        yield running
