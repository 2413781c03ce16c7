"""The process of one visit: `python -m harvester.visit DIRECTORY`, which is the visit's own.

It ends by itself, with the browser, when the service that started it is gone.
"""

import asyncio
import gc
import os
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

from playwright.async_api import async_playwright

from shared.processes.lifeline import on_parent_gone


async def _main(directory: Path) -> None:
    on_parent_gone(partial(_end_alone, directory))
    # The driver and the browser inherit the directory: it marks them (harvester.processes).
    os.chdir(directory)
    # The driver takes as long to start as the rest takes to be imported: both at once, since somebody may wait.
    driver = asyncio.create_task(async_playwright().start())
    gc.disable()  # hardly anything that is loaded is garbage
    process = await asyncio.to_thread(import_module, "harvester.visit.process")
    gc.enable()
    await process.run(driver)


def _end_alone(directory: Path) -> None:
    from harvester.visit.process import end_alone

    end_alone(directory)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
