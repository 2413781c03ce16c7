"""The event streams that are open now, so that they can be counted and ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Stream:
    """One open stream; set *finished* when it ended by itself."""

    finished: bool = False


class OpenStreams:
    """Counts streams, and those whose client went away."""

    def __init__(self) -> None:
        self.aborted = 0
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @contextmanager
    def counted(self) -> Iterator[Stream]:
        """The current task's stream, from its first byte to its end."""
        task = asyncio.current_task()
        assert task is not None
        stream = Stream()
        self._tasks.add(task)
        try:
            yield stream
        finally:
            self._tasks.discard(task)
            self.aborted += not stream.finished

    def cancel_all(self) -> None:
        """End all open streams now."""
        for task in self._tasks:
            task.cancel()
