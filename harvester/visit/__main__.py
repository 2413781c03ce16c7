"""The process of one visit: `python -m harvester.visit`. It reads its directory, then the job, from standard input.

It ends by itself, with the browser, when the service that started it has ended, or sends nothing.
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

from shared.processes.lifeline import on_parent_exit
from shared.processes.services import EXIT_ORPHANED

IDLE_SECONDS = 3.0  # wait for the directory: the process is started before it is known whether a visit is due


async def _main() -> None:
    directories: list[Path] = []
    on_parent_exit(partial(_exit_orphaned, directories))
    line_read = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.readline))
    gc.disable()  # hardly anything that is loaded is garbage
    importing = asyncio.create_task(asyncio.to_thread(import_module, "harvester.visit.process"))
    try:
        line = await asyncio.wait_for(line_read, IDLE_SECONDS)
    except TimeoutError:
        os._exit(0)  # a thread still reads
    if not line:
        return
    directory = os.fsdecode(line.removesuffix(b"\n"))
    directories.append(Path(directory))
    # The driver and the browser inherit the directory: it marks them (harvester.process_trees).
    os.environ["TMPDIR"] = directory
    os.environ.setdefault("HOME", directory)  # without one the driver does not start for a user unknown to the system
    os.chdir(directory)
    # The driver takes as long to start as the rest takes to be imported: both at once, since somebody may wait.
    driver = asyncio.create_task(async_playwright().start())
    process = await importing
    gc.enable()
    await process.run(driver)


def _exit_orphaned(directories: Sequence[Path]) -> None:
    """End the browser, remove the directory and exit, since the service has ended."""
    for directory in directories:
        from psutil import Process

        from harvester.process_trees import kill_process_tree

        kill_process_tree(directory, root=Process(), exclude={os.getpid()})
        shutil.rmtree(directory, ignore_errors=True)
    os._exit(EXIT_ORPHANED)


if __name__ == "__main__":
    asyncio.run(_main())
