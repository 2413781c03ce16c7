"""The harvester as a real process in front of the simulated site."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harvester.service.workspace import Workspace
from shared.processes.lifeline import Lifeline
from tests.cli.processes import ROOT, clean_environment

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Installation:
    """A harvester's data directory and the site it visits."""

    data_dir: Path
    site_url: str

    @property
    def store_url(self) -> str:
        """The URL of its store."""
        return f"sqlite:///{self.data_dir}/freeaichat.db"

    @property
    def workspace(self) -> Path:
        """Where visits have their directories."""
        return Workspace(self.store_url).path

    def environment(self, **settings: str) -> dict[str, str]:
        """Settings of a harvester here."""
        return clean_environment(self.data_dir, self.site_url, 0, **settings)


@dataclass(slots=True)
class Running:
    """One running harvester."""

    process: asyncio.subprocess.Process
    lifeline: Lifeline
    is_cut: bool = False

    def cut_off(self) -> None:
        """Close its lifeline, as if its parent had exited."""
        self.lifeline.stop()
        self.is_cut = True

    @property
    def system(self) -> psutil.Process:
        """The process as the system knows it."""
        return psutil.Process(self.process.pid)

    def family(self) -> list[psutil.Process]:
        """What it started: the visit's process, the driver, the browser."""
        return self.system.children(recursive=True)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), STOP_SECONDS)


@asynccontextmanager
async def harvester(
    installation: Installation, *, is_impatient: bool = False, log: Path = Path(os.devnull), **settings: str
) -> AsyncIterator[Running]:
    """`python -m harvester` with its output in *log*, stopped at the end if it still runs.

    *is_impatient*: with short pauses (`tests.harvester.short_limits`).
    """
    args = ("-m", "tests.harvester.short_limits") if is_impatient else ("-P", "-m", "harvester")
    lifeline = Lifeline()
    with log.open("a") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *args),
            env=installation.environment(**settings) | lifeline.environment,
            cwd=ROOT,
            pass_fds=lifeline.pass_fds,
            stdout=output,
            stderr=output,
        )
    lifeline.close_child_end()
    running = Running(process, lifeline)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.stop()
        if not running.is_cut:
            lifeline.stop()


async def once(installation: Installation, *arguments: str, **settings: str) -> tuple[int, dict[str, Any], str]:
    """`python -m harvester once`: exit code, what it printed as JSON ({}: nothing), and its log."""
    code, output, log = await _command(installation, "once", *arguments, **settings)
    return code, json.loads(output) if output else {}, log


async def health(installation: Installation) -> tuple[int, str]:
    """`python -m harvester health`: exit code and its line."""
    code, output, log = await _command(installation, "health")
    assert log == "", log
    return code, output.removesuffix("\n")


async def _command(installation: Installation, *args: str, **settings: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "harvester", *args),
        env=installation.environment(**settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, log = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), log.decode()
