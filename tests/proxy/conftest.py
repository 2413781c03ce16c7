"""The simulated site and a proxy in front of it, on the event loop used in production."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from tests.loops import USERS
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Event loops that every test runs on."""
    return USERS


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
