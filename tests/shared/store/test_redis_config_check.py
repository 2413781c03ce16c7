"""Checking the configuration of a Redis server."""

import asyncio
from pathlib import Path

import pytest

from shared.store import StoreUnavailable
from shared.store.redis.config_check import check_redis_config, config_problems
from tests.redis_server import RedisServer, running_redis


def test_versions_that_lack_what_is_needed_are_named() -> None:
    assert "6.2.14 is too old" in config_problems({"redis_version": "6.2.14"})[0][0]
    assert config_problems({"redis_version": "7.2.4"}) == []
    assert config_problems({"redis_version": "10.0.0"}) == []
    assert config_problems({}) == []


async def test_a_redis_that_keeps_everything_is_fine(own_redis: RedisServer) -> None:
    assert await check_redis_config(own_redis.url) == []


async def test_a_redis_that_forgets_is_reported_with_the_fix(tmp_path: Path, free_port: int) -> None:
    options = ("--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    with running_redis(tmp_path / "redis", free_port, *options) as server:
        remedies = " ".join(remedy for _, remedy in await check_redis_config(server.url))

    assert "noeviction" in remedies
    assert "appendonly yes" in remedies


async def test_an_unreachable_redis_is_an_error(free_port: int) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(StoreUnavailable):
            await check_redis_config(f"redis://127.0.0.1:{free_port}/")
