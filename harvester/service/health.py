"""The health check of the harvester, by its heartbeat in the store. Sends no request and starts nothing."""

import asyncio
import time

from shared.processes.heartbeat import Heartbeat, last_beat
from shared.processes.services import EXIT_FAILED
from shared.settings import Settings
from shared.store import StoreError, open_store


def run_health(settings: Settings) -> int:
    """Print one line; returns 0 while the heartbeat is fresh, else 1."""
    try:
        last = asyncio.run(_read(settings))
    except StoreError as error:
        return _print_result(f"the heartbeat cannot be read: {error}", EXIT_FAILED)
    if last is None:
        return _print_result("no harvester has run with this store yet", EXIT_FAILED)
    now = time.time()
    age = f"last heartbeat {last.age(now):.0f} s ago"
    if last.is_fresh(now):
        return _print_result(f"the harvester runs ({age})", 0)
    return _print_result(f"the harvester does not run, or cannot write to its store ({age})", EXIT_FAILED)


async def _read(settings: Settings) -> Heartbeat | None:
    async with open_store(settings.store_url) as store:
        return await last_beat(store)


def _print_result(line: str, code: int) -> int:
    print(f"freeaichat: {line}")  # noqa: T201
    return code
