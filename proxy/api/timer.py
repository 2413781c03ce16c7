"""Something to be done after a while, unless it is called off: the usual end, which therefore costs no task."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Timer:
    """Awaits *work* after some seconds, and again after as many as it returns (None: never). Runs from its making."""

    def __init__(self, seconds: float, work: Callable[[], Awaitable[float | None]]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._handle = self._loop.call_later(seconds, self._start)

    def restart(self, seconds: float) -> None:
        """Count anew, from now on."""
        self._handle.cancel()
        self._handle = self._loop.call_later(seconds, self._start)

    async def settle(self) -> None:
        """Wait for work under way, if there is any."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def stop(self) -> None:
        """Call it off, and end work under way."""
        self._handle.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._handle.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            seconds = await self._work()
        except Exception:
            log.exception("timed work failed")
            return
        if seconds is not None:
            self._handle = self._loop.call_later(seconds, self._start)
