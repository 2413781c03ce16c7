"""Stores to run the tests of the `Store` protocol on: one param for each backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.store import Store, open_store


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store that several processes may open."""
    backends = {"sqlite": f"sqlite:///{tmp_path}/data/store.db"}
    return backends[request.param]


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """An empty store, open."""
    async with open_store(store_url) as opened:
        yield opened
