"""Work beside the requests, for as long as the proxy serves: what fails is told, and begun again after a while."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from shared.store import StoreError

LEAST_PAUSE, MOST_PAUSE = 1.0, 60.0
STEADY_SECONDS = 5.0  # so long work has to go on before it counts as well again

log = logging.getLogger(__name__)


class Background:
    """Starts work, and keeps it going until `stop`."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: set[str] = set()

    @property
    def trouble(self) -> str | None:
        """What does not run, in words; None if everything does."""
        return f"background work fails: {', '.join(sorted(self._failing))}; the log says why" if self._failing else None

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run *work*, which never ends by itself; *name* says what it is."""
        self._tasks.append(asyncio.create_task(self._keep(name, work), name=name))

    async def stop(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause = LEAST_PAUSE
        while True:
            begun = monotonic()
            well = asyncio.get_running_loop().call_later(STEADY_SECONDS, self._failing.discard, name)
            try:
                await work()
                log.critical("%s has ended; beginning again in %.0f s", name, pause)
            except StoreError as error:
                log.warning("%s: %s; beginning again in %.0f s", name, error, pause)
            except Exception:
                log.critical("%s failed; beginning again in %.0f s", name, pause, exc_info=True)
            finally:
                well.cancel()
            self._failing.add(name)
            if monotonic() - begun > MOST_PAUSE:
                pause = LEAST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, MOST_PAUSE)
