"""Memory and file descriptors of the product's processes."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

SAMPLE_SECONDS = 0.5
WARM_SHARE = 0.25  # of the samples: what a program needs for its work it has got by then


@dataclass(slots=True)
class Series:
    """Samples of one value over time."""

    values: list[float] = field(default_factory=list)

    @property
    def early(self) -> float:
        """The median of the first third after the warm-up."""
        warm = self._warm
        return median(warm[: len(warm) // 3])

    @property
    def late(self) -> float:
        """The median of the last third."""
        warm = self._warm
        return median(warm[-(len(warm) // 3) :])

    @property
    def growth(self) -> float:
        """From the early to the late third, as a share of the early one."""
        return self.late / self.early - 1

    @property
    def _warm(self) -> list[float]:
        return self.values[int(len(self.values) * WARM_SHARE) :]


class Watch:
    """Samples of *processes* by name, and of the size of the store's files in *directory*."""

    def __init__(self, processes: dict[str, psutil.Process], directory: Path) -> None:
        self.memory = {name: Series() for name in processes}
        self.descriptors = {name: Series() for name in processes}
        self.stored = Series()
        self._processes = processes
        self._directory = directory

    async def run(self) -> None:
        """Take samples until cancelled. Raises `psutil.NoSuchProcess` where a process has ended."""
        while True:
            for name, process in self._processes.items():
                self.memory[name].values.append(process.memory_info().rss)
                self.descriptors[name].values.append(process.num_fds())
            self.stored.values.append(stored_bytes(self._directory))
            await asyncio.sleep(SAMPLE_SECONDS)


def stored_bytes(directory: Path) -> int:
    """The store with its journal, in bytes."""
    return sum(path.stat().st_size for path in directory.glob("freeaichat.db*"))
