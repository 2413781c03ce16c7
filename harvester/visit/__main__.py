"""The process of one visit: `python -m harvester.visit`. Standard input tells it its directory, then what to visit.

It ends by itself, with the browser, when the service that started it is gone, or tells it nothing.
"""

import asyncio
import gc
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from playwright.async_api import async_playwright

from shared.processes.lifeline import on_parent_gone
from shared.processes.services import EXIT_ORPHANED

IDLE_SECONDS = 3.0  # until it is told: its service starts it before it is known whether a visit is due


async def _main() -> None:
    told: list[Path] = []
    on_parent_gone(partial(_end_alone, told))
    reading = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.readline))
    gc.disable()  # hardly anything that is loaded is garbage
    importing = asyncio.create_task(asyncio.to_thread(import_module, "harvester.visit.process"))
    try:
        line = await asyncio.wait_for(reading, IDLE_SECONDS)
    except TimeoutError:
        os._exit(0)  # a thread still reads
    if not line:
        return
    directory = os.fsdecode(line.removesuffix(b"\n"))
    told.append(Path(directory))
    # The driver and the browser inherit the directory: it marks them (harvester.processes).
    os.environ["TMPDIR"] = directory
    os.environ.setdefault("HOME", directory)  # without one the driver does not start for a user unknown to the system
    os.chdir(directory)
    # The driver takes as long to start as the rest takes to be imported: both at once, since somebody may wait.
    driver = asyncio.create_task(async_playwright().start())
    process = await importing
    gc.enable()
    await process.run(driver)


def _end_alone(told: Sequence[Path]) -> None:
    """The service is gone: end the browser, remove the directory, and go too."""
    for directory in told:
        from psutil import Process

        from harvester.processes import end_family

        end_family(directory, root=Process(), spare={os.getpid()})
        shutil.rmtree(directory, ignore_errors=True)
    os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    asyncio.run(_main())
