"""Background tasks, which run while the proxy serves and are restarted after failures."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from shared.store import StoreError

MIN_PAUSE, MAX_PAUSE = 1.0, 60.0
STEADY_SECONDS = 5.0  # a restarted task counts as healthy after this time

log = logging.getLogger(__name__)


class BackgroundTasks:
    """Starts background tasks and restarts them until `stop`."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: set[str] = set()

    @property
    def problem(self) -> str | None:
        """The tasks that fail, for `/readyz`; None if all run."""
        return f"background work fails: {', '.join(sorted(self._failing))}; the log says why" if self._failing else None

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run *work*, which never ends by itself, under *name*."""
        self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    async def stop(self) -> None:
        """Cancel all tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause = MIN_PAUSE
        while True:
            started_at = monotonic()
            steady_timer = asyncio.get_running_loop().call_later(STEADY_SECONDS, self._failing.discard, name)
            try:
                await work()
                log.critical("%s has ended; beginning again in %.0f s", name, pause)
            except StoreError as error:
                log.warning("%s: %s; beginning again in %.0f s", name, error, pause)
            except Exception:
                log.critical("%s failed; beginning again in %.0f s", name, pause, exc_info=True)
            finally:
                steady_timer.cancel()
            self._failing.add(name)
            if monotonic() - started_at > MAX_PAUSE:
                pause = MIN_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)
