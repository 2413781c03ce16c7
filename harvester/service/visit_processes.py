"""Running visits in processes of their own, which are killed with all that they started.

Playwright, its driver and the browser run there, so that the service stays small and cannot hang.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from harvester.job import Job, Report
from harvester.process_trees import kill_process_tree, reap_orphans
from harvester.service.child import Child, start_child
from harvester.service.memory import MAX_BYTES, wait_for_excess
from harvester.service.tasks import finish_uncancelled
from harvester.service.workspace import Claim
from shared.models import Cause, Outcome
from shared.processes.services import exit_text
from shared.serialization import from_json, to_json

MARGIN_SECONDS = 10.0  # beyond the visit's own limit: it reports its timeouts itself, with a screenshot
CLOSE_SECONDS = 1.5  # for the browser to close in good order after the report
LAST_WORDS_SECONDS = 0.5

log = logging.getLogger(__name__)


class VisitProcesses:
    """Runs visits in processes of their own. One instance serves one process of ours."""

    def __init__(self, prestarted: Child | None = None) -> None:
        """*prestarted*: a process for the first visit, started before it was known whether one is due."""
        self._prestarted = prestarted
        self._running = {prestarted.process.pid} if prestarted is not None else set()

    @asynccontextmanager
    async def run(self, job: Job, claim: Claim) -> AsyncIterator[Report]:
        """Run a visit and yield its report as soon as it arrives.

        A process that hangs or dies gets a report too. On leaving, it and all that it started are killed, and its
        directory is removed. Raises OSError where no process can be started.
        """
        await asyncio.to_thread(claim.sweep)
        claim.directory.mkdir(mode=0o700, exist_ok=True)
        try:
            child = await self._child()
        except BaseException:
            claim.clear()
            raise
        self._running.add(child.process.pid)
        stderr_task = asyncio.create_task(child.read_stderr())
        try:
            report = await _wait_for_report(child, job, claim, stderr_task)
            yield report
            await _wait(child.process, CLOSE_SECONDS)
        finally:
            child.stop()
            await finish_uncancelled(self._end(child, claim))
            await asyncio.wait({stderr_task}, timeout=LAST_WORDS_SECONDS)
            stderr_task.cancel()

    async def _child(self) -> Child:
        prestarted, self._prestarted = self._prestarted, None
        return prestarted if prestarted is not None and prestarted.is_running else await start_child()

    async def _end(self, child: Child, claim: Claim) -> None:
        await asyncio.to_thread(kill_process_tree, claim.directory, root=child.system)
        await _wait(child.process, CLOSE_SECONDS)  # with a limit: what holds its pipes open may not be ours to kill
        self._running.discard(child.process.pid)
        await asyncio.to_thread(reap_orphans, frozenset(self._running))
        await asyncio.to_thread(claim.clear)


async def _wait_for_report(child: Child, job: Job, claim: Claim, stderr_task: asyncio.Task[None]) -> Report:
    """Wait for the report, or make one where none arrives."""
    deadline = job.limits.visit + MARGIN_SECONDS
    exchange = asyncio.create_task(_exchange(child, job, claim))
    memory_watch = asyncio.create_task(wait_for_excess(child.system))
    try:
        done, _ = await asyncio.wait({exchange, memory_watch}, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if not done:  # this process may have stood still, and the report waits to be read
            await asyncio.wait({exchange}, timeout=LAST_WORDS_SECONDS)
        if exchange.done():
            return await _parse_report(exchange.result(), child, stderr_task)
        if memory_watch.done():
            # At once: it goes on growing.
            await asyncio.to_thread(kill_process_tree, claim.directory, root=child.system)
            return Report(cause=Cause.MEMORY, reason=_memory_reason(memory_watch.result()))
        reason = f"the visit hung, and was ended after {deadline:.0f} s"
        return Report(cause=Cause.SLOW, reason=reason)
    finally:
        exchange.cancel()
        memory_watch.cancel()


async def _exchange(child: Child, job: Job, claim: Claim) -> bytes:
    """Send the directory of *claim* and *job*; returns the line that comes back, b"" if none."""
    try:
        child.stdin.write(b"%s\n%s\n" % (os.fsencode(claim.directory), to_json(job).encode()))
        await child.stdin.drain()
        return await child.stdout.readline()
    except (ConnectionError, ValueError):  # it died before it read the job, or a report without an end
        return b""


async def _parse_report(line: bytes, child: Child, stderr_task: asyncio.Task[None]) -> Report:
    try:
        return _with_library_error(from_json(Report, line), child.stderr_lines)
    except ValueError:
        await _wait(child.process, CLOSE_SECONDS)
        await asyncio.wait({stderr_task}, timeout=LAST_WORDS_SECONDS)
        last = f": {child.stderr_lines[-1]}" if child.stderr_lines else ""
        code = child.process.returncode
        exit_status = "and hangs" if code is None else exit_text(code)
        reason = f"the visit's process ended without a report ({exit_status}){last}"
        return Report(cause=Cause.BROWSER_ENDED, reason=reason, is_transient=True)


def _memory_reason(used: int) -> str:
    return (
        f"the page made the browser use {used / 1e9:.1f} GB of memory, and the visit was ended (at most "
        f"{MAX_BYTES / 1e9:.1f} GB are allowed); look at the page in a browser of your own if this goes on"
    )


def _with_library_error(report: Report, stderr_lines: Iterable[str]) -> Report:
    """*report*; with the reason that the driver lacks a library, if its standard error says so."""
    library_error = next((line for line in stderr_lines if "cannot open shared object" in line), "")
    if report.outcome is not Outcome.BROWSER_ERROR or not library_error:
        return report
    reason = f"Playwright's driver did not start: {library_error} (`freeaichat doctor` says how to get it)"
    return replace(report, cause=Cause.NOT_STARTED, reason=reason, is_transient=False)


async def _wait(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Wait for the end of *process* for at most *seconds*."""
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        log.debug("the visit's process does not end by itself")
