"""The process of one visit, as the service starts it."""

import asyncio
import sys
from pathlib import Path

import psutil

from harvester.processes import end_family
from tests.end_to_end.running_up import still_running
from tests.harvester.visiting import wait_for

SECONDS = 40.0  # on a machine that is busy with other tests


def drivers(process: psutil.Process) -> list[psutil.Process]:
    """Playwright's drivers that *process* has started."""
    return [child for child in process.children() if "run-driver" in child.cmdline()]


async def test_the_driver_starts_before_it_is_known_what_to_visit_and_ends_with_the_process(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "harvester.visit", str(tmp_path))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    system = psutil.Process(process.pid)
    try:
        await wait_for(lambda: drivers(system), "the driver runs", seconds=SECONDS)
        (driver,) = drivers(system)
        assert driver.cwd() == str(tmp_path)
        assert process.stdin is not None
        process.stdin.close()  # no job will come
        await asyncio.wait_for(process.wait(), SECONDS)
        assert await still_running([driver], seconds=SECONDS) == []
    finally:
        end_family(tmp_path, root=system)
