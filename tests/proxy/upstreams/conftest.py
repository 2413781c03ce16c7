"""Proxies with a site and an upstream of another kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.list_upstream import ListUpstream
from tests.site import SimulatedSite


@pytest.fixture
def other() -> ListUpstream:
    return ListUpstream()


@pytest.fixture
async def site_first(site: SimulatedSite, other: ListUpstream, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with *site* before *other*."""
    async with running_proxy(site, tmp_path, edit_upstreams=lambda sites: [*sites, other]) as proxy:
        yield proxy


@pytest.fixture
async def other_first(site: SimulatedSite, other: ListUpstream, tmp_path: Path) -> AsyncIterator[RunningProxy]:
    """A proxy with *other* before *site*."""
    async with running_proxy(site, tmp_path, edit_upstreams=lambda sites: [other, *sites]) as proxy:
        yield proxy
