"""Stores to run the tests of the `Store` protocol on: one param for each backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.store import Store, open_store
from tests.redis_server import RedisServer
from tests.shared.poll_counter import PollCounter


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store that several processes may open; with a digit after it, of another one."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.url
    return f"sqlite:///{tmp_path}/data/store.db"


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """An empty store, open."""
    async with open_store(store_url) as opened:
        yield opened


@pytest.fixture
def polls(monkeypatch: pytest.MonkeyPatch) -> PollCounter:
    """Tells when watched stores have looked for changes."""
    return PollCounter(monkeypatch)
