"""What a Redis is set to that does not suit a store, from what it tells of itself."""

from collections.abc import Mapping
from typing import Any

from shared.store.redis.server import Server

LEAST_VERSION = 7


async def concerns(url: str) -> list[tuple[str, str]]:
    """What may go wrong with the Redis at *url*, each with its mend. Raises what `Store` methods may raise."""
    server = Server(url)
    try:
        return advice(await server.info())
    finally:
        await server.close()


def advice(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same from the answer to INFO; what that does not tell is not complained about."""
    found = []
    version = str(info.get("redis_version", ""))  # Valkey tells the version that it is compatible with
    if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < LEAST_VERSION:
        found.append((f"Redis {version} is too old", f"use Redis {LEAST_VERSION} or later, or Valkey"))
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append((f"it drops data where memory gets short ({policy})", "set `maxmemory-policy noeviction`"))
    if info.get("aof_enabled", 1) == 0:
        found.append(
            ("it does not keep every change on disk: a restart may lose conversations", "set `appendonly yes`")
        )
    return found
