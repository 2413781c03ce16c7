"""The process of one visit, as seen by the service. It gets its directory and job only once it runs."""

import asyncio
import logging
import os
import re
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
import psutil

from shared.processes.lifeline import Lifeline

MAX_REPORT_BYTES = 32 * 1024 * 1024
MAX_LINES = 20  # of the error output
MAX_LINE = 300

_MAY_BE_SECRET = re.compile(r"cookie|nonce|session|authorization", re.IGNORECASE)  # as in Playwright's own call logs

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """A process that runs, or has run; *stderr_lines* are the last lines of its standard error.

    *system*: identifies the process even after its end, when the pid may be reused.
    """

    process: asyncio.subprocess.Process
    system: psutil.Process | None  # None: it had ended at once
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    lifeline: Lifeline | None  # None: closed
    stderr_lines: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_LINES))

    @property
    def is_running(self) -> bool:
        """Whether it runs, and was not told to end."""
        return self.process.returncode is None and self.lifeline is not None

    async def read_stderr(self) -> None:
        """Collect its standard error until it ends."""
        while line := await self.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()[:MAX_LINE]
            if text and not _MAY_BE_SECRET.search(text):
                self.stderr_lines.append(text)
                log.debug("visit: %s", text)

    def stop(self) -> None:
        """Tell it to end, with all that it started."""
        lifeline, self.lifeline = self.lifeline, None
        if lifeline is not None:
            lifeline.stop()


async def start_child() -> Child:
    """Start the process of a visit. Raises OSError."""
    lifeline = Lifeline()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(["-P"] if sys.flags.safe_path else []),
            *("-m", "harvester.visit"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_REPORT_BYTES,
            env=_driver_settings() | os.environ | lifeline.environment,
            pass_fds=lifeline.pass_fds,
            start_new_session=True,  # a Ctrl-C in the terminal is the service's affair
        )
    except BaseException:
        lifeline.stop()
        raise
    finally:
        lifeline.close_child_end()
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018  (all three were asked for)
    return Child(process, _find_process(process.pid), process.stdin, process.stdout, process.stderr, lifeline)


def _driver_settings() -> dict[str, str]:
    """The environment of Playwright's driver, which runs on Node.js."""
    # It fetches the nonce, and trusts the authorities of the system, as other requests do.
    settings = {"NODE_USE_SYSTEM_CA": "1"}
    with suppress(RuntimeError):  # this user has no home
        cache = Path(platformdirs.user_cache_dir("freeaichat", appauthor=False))
        settings["NODE_COMPILE_CACHE"] = str(cache / "driver")  # compiling is a quarter of its start
    return settings


def _find_process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
