"""The process of one visit, seen from the service: started, listened to, and ended with all that it started.

Playwright, its driver and the browser live and die there, so that the service stays small and no hang reaches it.
"""

import asyncio
import logging
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psutil
from pydantic import ValidationError

from harvester.job import Job, Report
from harvester.processes import end_family, reap_orphans
from harvester.service.memory import MOST_BYTES, outgrown
from harvester.service.tasks import to_the_end
from harvester.service.workspace import Claim
from shared.models import Cause, Outcome
from shared.processes.lifeline import make_lifeline

MARGIN_SECONDS = 10.0  # more than the visit allows itself: it reports its own timeouts, with a picture
CLOSE_SECONDS = 1.5  # for the browser to close in good order after the report
LAST_WORDS_SECONDS = 0.5
MAX_REPORT_BYTES = 32 * 1024 * 1024
KEPT_LINES = 20  # of the error output
LONGEST_LINE = 300

_MAY_BE_SECRET = re.compile(r"cookie|nonce|session|authorization", re.IGNORECASE)  # as in Playwright's own call logs

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Child:
    """A running process; *said* are the last lines of its error output.

    *system*: the process itself as the system knows it. Once it has ended, its id may be another one's.
    """

    process: asyncio.subprocess.Process
    system: psutil.Process | None  # None: it had ended before anybody could look
    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    said: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    async def listen(self) -> None:
        while line := await self.stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()[:LONGEST_LINE]
            if text and not _MAY_BE_SECRET.search(text):
                self.said.append(text)
                log.debug("visit: %s", text)


class Workers:
    """Makes visits in processes of their own. One instance serves one process of ours."""

    def __init__(self) -> None:
        self._running: set[int] = set()

    @asynccontextmanager
    async def run(self, job: Job, claim: Claim) -> AsyncIterator[Report]:
        """Make the visit and hand out its report as soon as it is there.

        A process that hangs or dies has a report too. On leaving, it and all that it started has ended, and its
        directory is gone. Raises OSError where nothing can be started.
        """
        await asyncio.to_thread(claim.sweep)
        claim.prepare()
        lifeline = make_lifeline()
        try:
            child = await _start(claim, lifeline.environment, lifeline.pass_fds)
        except BaseException:
            lifeline.cut()
            claim.clear()
            raise
        finally:
            lifeline.hand_over()
        self._running.add(child.process.pid)
        listening = asyncio.create_task(child.listen())
        try:
            report = await _hear(child, job, claim, listening)
            yield report
            await _wait(child.process, CLOSE_SECONDS)
        finally:
            lifeline.cut()
            await to_the_end(self._end(child, claim))
            await asyncio.wait({listening}, timeout=LAST_WORDS_SECONDS)
            listening.cancel()

    async def _end(self, child: _Child, claim: Claim) -> None:
        await asyncio.to_thread(end_family, claim.directory, root=child.system)
        await child.process.wait()
        self._running.discard(child.process.pid)
        await asyncio.to_thread(reap_orphans, frozenset(self._running))
        await asyncio.to_thread(claim.clear)


async def _start(claim: Claim, environment: dict[str, str], descriptors: tuple[int, ...]) -> _Child:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(["-P"] if sys.flags.safe_path else []),
        "-m",
        "harvester.visit",
        str(claim.directory),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_REPORT_BYTES,
        # Playwright's driver, which asks for the nonce, trusts whom this system trusts, as every other request does.
        env={"NODE_USE_SYSTEM_CA": "1"} | os.environ | environment | {"TMPDIR": str(claim.directory)},
        pass_fds=descriptors,
        start_new_session=True,  # a Ctrl-C in the terminal is the service's affair
    )
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018  (all three were asked for)
    return _Child(process, _known(process.pid), process.stdin, process.stdout, process.stderr)


def _known(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


async def _hear(child: _Child, job: Job, claim: Claim, listening: asyncio.Task[None]) -> Report:
    """The report, or one in its place where none comes."""
    deadline = job.limits.visit + MARGIN_SECONDS
    reading = asyncio.create_task(_exchange(child, job))
    watching = asyncio.create_task(outgrown(child.system))
    try:
        await asyncio.wait({reading, watching}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return await _understood(reading.result(), child, listening)
        if watching.done():
            await asyncio.to_thread(end_family, claim.directory, root=child.system)  # at once: it goes on growing
            return Report(outcome=Outcome.SITE_ERROR, cause=Cause.MEMORY, reason=_too_much(watching.result()))
        reason = f"the visit hung, and was ended after {deadline:.0f} s"
        return Report(outcome=Outcome.TIMEOUT, cause=Cause.SLOW, reason=reason)
    finally:
        reading.cancel()
        watching.cancel()


async def _exchange(child: _Child, job: Job) -> bytes:
    """Hand over *job*; the line that comes back, empty if there is none."""
    try:
        child.stdin.write(job.model_dump_json().encode() + b"\n")
        await child.stdin.drain()
        return await child.stdout.readline()
    except (ConnectionError, ValueError):  # it died before it read the job, or a report without an end
        return b""


async def _understood(line: bytes, child: _Child, listening: asyncio.Task[None]) -> Report:
    try:
        return _explained(Report.model_validate_json(line), child.said)
    except ValidationError:
        await _wait(child.process, CLOSE_SECONDS)
        await asyncio.wait({listening}, timeout=LAST_WORDS_SECONDS)
        last = f": {child.said[-1]}" if child.said else ""
        how = _how(child.process.returncode)
        reason = f"the visit's process ended without a report ({how}){last}"
        return Report(outcome=Outcome.BROWSER_ERROR, cause=Cause.BROWSER_ENDED, reason=reason, is_passing=True)


def _too_much(used: int) -> str:
    return (
        f"the page made the browser use {used / 1e9:.1f} GB of memory, and the visit was ended (at most "
        f"{MOST_BYTES / 1e9:.1f} GB are allowed); look at the page in a browser of your own if this goes on"
    )


def _explained(report: Report, said: Iterable[str]) -> Report:
    """*report*; where the driver lacks a library, which only its error output tells, that is the reason."""
    lacking = next((line for line in said if "cannot open shared object" in line), "")
    if report.outcome is not Outcome.BROWSER_ERROR or not lacking:
        return report
    reason = f"Playwright's driver did not start: {lacking} (`freeaichat doctor` says how to get it)"
    return report.model_copy(update={"cause": Cause.NOT_STARTED, "reason": reason, "is_passing": False})


async def _wait(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Wait for the end of *process*, but no longer than *seconds*."""
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        log.debug("the visit's process does not end by itself")


def _how(code: int | None) -> str:
    if code is None:
        return "and hangs"
    return f"signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit code {code}"
