"""The process of one visit, seen from the service: started, listened to, and ended with all that it started.

Playwright, its driver and the browser live and die there, so that the service stays small and no hang reaches it.
"""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from harvester.job import Job, Report
from harvester.processes import end_family, reap_orphans
from harvester.service.child import Child, start_child
from harvester.service.memory import MOST_BYTES, outgrown
from harvester.service.tasks import to_the_end
from harvester.service.workspace import Claim
from shared.models import Cause, Outcome
from shared.serialization import from_json, to_json

MARGIN_SECONDS = 10.0  # more than the visit allows itself: it reports its own timeouts, with a picture
CLOSE_SECONDS = 1.5  # for the browser to close in good order after the report
LAST_WORDS_SECONDS = 0.5

log = logging.getLogger(__name__)


class Workers:
    """Makes visits in processes of their own. One instance serves one process of ours."""

    def __init__(self, spare: Child | None = None) -> None:
        """*spare*: a process for the first visit, started before it was known whether one is due."""
        self._spare = spare
        self._running = {spare.process.pid} if spare is not None else set()

    @asynccontextmanager
    async def run(self, job: Job, claim: Claim) -> AsyncIterator[Report]:
        """Make the visit and hand out its report as soon as it is there.

        A process that hangs or dies has a report too. On leaving, it and all that it started has ended, and its
        directory is gone. Raises OSError where nothing can be started.
        """
        await asyncio.to_thread(claim.sweep)
        claim.directory.mkdir(mode=0o700, exist_ok=True)
        try:
            child = await self._child()
        except BaseException:
            claim.clear()
            raise
        self._running.add(child.process.pid)
        listening = asyncio.create_task(child.listen())
        try:
            report = await _hear(child, job, claim, listening)
            yield report
            await _wait(child.process, CLOSE_SECONDS)
        finally:
            child.cut()
            await to_the_end(self._end(child, claim))
            await asyncio.wait({listening}, timeout=LAST_WORDS_SECONDS)
            listening.cancel()

    async def _child(self) -> Child:
        spare, self._spare = self._spare, None
        return spare if spare is not None and spare.runs else await start_child()

    async def _end(self, child: Child, claim: Claim) -> None:
        await asyncio.to_thread(end_family, claim.directory, root=child.system)
        await _wait(child.process, CLOSE_SECONDS)  # not for ever: what holds its pipes may not be ours to end
        self._running.discard(child.process.pid)
        await asyncio.to_thread(reap_orphans, frozenset(self._running))
        await asyncio.to_thread(claim.clear)


async def _hear(child: Child, job: Job, claim: Claim, listening: asyncio.Task[None]) -> Report:
    """The report, or one in its place where none comes."""
    deadline = job.limits.visit + MARGIN_SECONDS
    reading = asyncio.create_task(_exchange(child, job, claim))
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


async def _exchange(child: Child, job: Job, claim: Claim) -> bytes:
    """Hand over the directory of *claim*, and *job*; the line that comes back, empty if there is none."""
    try:
        child.stdin.write(b"%s\n%s\n" % (os.fsencode(claim.directory), to_json(job).encode()))
        await child.stdin.drain()
        return await child.stdout.readline()
    except (ConnectionError, ValueError):  # it died before it read the job, or a report without an end
        return b""


async def _understood(line: bytes, child: Child, listening: asyncio.Task[None]) -> Report:
    try:
        return _explained(from_json(Report, line), child.said)
    except ValueError:
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
    return replace(report, cause=Cause.NOT_STARTED, reason=reason, is_passing=False)


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
