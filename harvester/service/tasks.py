"""Work that a signal ends in order, and work that a cancellation does not interrupt."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from shared.processes.lifeline import on_parent_gone
from shared.processes.services import hear_signals, stopping_signals

STOP_SECONDS = 8.0  # for a visit under way to be ended and recorded

log = logging.getLogger(__name__)


async def until_stopped(work: Coroutine[Any, Any, int], when_stopped: int) -> int:
    """What *work* returns; *when_stopped* if a signal, or the end of our parent, ended it early."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in stopping_signals():
        loop.add_signal_handler(number, stop.set)
    hear_signals()
    on_parent_gone(stop.set)
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done() and not working.done():
        log.info("stopping")
        working.cancel()
        await asyncio.wait({working}, timeout=STOP_SECONDS)
    stopping.cancel()
    return when_stopped if not working.done() or working.cancelled() else working.result()


async def to_the_end(work: Coroutine[Any, Any, object]) -> None:
    """Do *work* to its end, also where this is cancelled meanwhile; the cancellation goes on after that."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
