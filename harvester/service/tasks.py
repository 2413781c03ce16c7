"""Running a coroutine until a stop signal, and protecting one from cancellation."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from shared.processes.lifeline import on_parent_exit
from shared.processes.services import stop_signals, unblock_signals

STOP_SECONDS = 8.0  # for a running visit to be ended and recorded

log = logging.getLogger(__name__)


async def run_until_stopped(work: Coroutine[Any, Any, int], when_stopped: int) -> int:
    """Run *work* and return its result; *when_stopped* if a signal, or the end of our parent, cancels it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, stop.set)
    unblock_signals()
    on_parent_exit(stop.set)
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done() and not working.done():
        log.info("stopping")
        working.cancel()
        await asyncio.wait({working}, timeout=STOP_SECONDS)
    stopping.cancel()
    return when_stopped if not working.done() or working.cancelled() else working.result()


async def finish_uncancelled(work: Coroutine[Any, Any, object]) -> None:
    """Await *work* to its end even if this is cancelled meanwhile; the cancellation is raised after that."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
