"""Checks of a Redis server's version and configuration, as reported by INFO."""

from collections.abc import Mapping
from typing import Any

from shared.store.redis.client import RedisClient

MIN_VERSION = 7


async def check_redis_config(url: str) -> list[tuple[str, str]]:
    """Check the Redis at *url*: problems, each with its fix. Raises what `Store` methods may raise."""
    server = RedisClient(url)
    try:
        return config_problems(await server.info())
    finally:
        await server.close()


def config_problems(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """As `check_redis_config`, from the answer to INFO; missing fields count as good."""
    problems = []
    version = str(info.get("redis_version", ""))  # Valkey reports the version that it is compatible with
    if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < MIN_VERSION:
        problems.append((f"Redis {version} is too old", f"use Redis {MIN_VERSION} or later, or Valkey"))
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        problems.append((f"it drops data where memory gets short ({policy})", "set `maxmemory-policy noeviction`"))
    if info.get("aof_enabled", 1) == 0:
        problems.append(
            ("it does not keep every change on disk: a restart may lose conversations", "set `appendonly yes`")
        )
    return problems
