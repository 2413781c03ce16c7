"""The process of one visit, as its service sees it. It is told where it visits from only once it runs."""

import asyncio
import logging
import os
import re
import sys
from collections import deque
from dataclasses import dataclass, field

import psutil

from shared.processes.lifeline import Lifeline

MAX_REPORT_BYTES = 32 * 1024 * 1024
KEPT_LINES = 20  # of the error output
LONGEST_LINE = 300

_MAY_BE_SECRET = re.compile(r"cookie|nonce|session|authorization", re.IGNORECASE)  # as in Playwright's own call logs

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """A process that runs, or has run; *said* are the last lines of its error output.

    *system*: the process itself as the system knows it. Once it has ended, its id may be another one's.
    """

    process: asyncio.subprocess.Process
    system: psutil.Process | None  # None: it had ended before anybody could look
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    lifeline: Lifeline | None  # None: it is cut
    said: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    @property
    def runs(self) -> bool:
        """Whether it runs, and is not to end."""
        return self.process.returncode is None and self.lifeline is not None

    async def listen(self) -> None:
        """Keep what it says until it has ended."""
        while line := await self.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()[:LONGEST_LINE]
            if text and not _MAY_BE_SECRET.search(text):
                self.said.append(text)
                log.debug("visit: %s", text)

    def cut(self) -> None:
        """Let it know that it is to end, with all that it started."""
        lifeline, self.lifeline = self.lifeline, None
        if lifeline is not None:
            lifeline.cut()


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
            # Playwright's driver, which asks for the nonce, trusts whom this system trusts, as every other request.
            env={"NODE_USE_SYSTEM_CA": "1"} | os.environ | lifeline.environment,
            pass_fds=lifeline.pass_fds,
            start_new_session=True,  # a Ctrl-C in the terminal is the service's affair
        )
    except BaseException:
        lifeline.cut()
        raise
    finally:
        lifeline.hand_over()
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018  (all three were asked for)
    return Child(process, _known(process.pid), process.stdin, process.stdout, process.stderr, lifeline)


def _known(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
