"""The process of one visit, seen from the service: started, listened to, and ended with all that it started.

Playwright, its driver and the browser live and die there, so that the service stays small and no hang reaches it.
"""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import ValidationError

from harvester.job import Job, Report
from harvester.processes import end_family, reap_orphans
from harvester.workspace import Claim
from shared.lifeline import make_lifeline
from shared.models import Outcome

MARGIN_SECONDS = 10.0  # more than the visit allows itself: it reports its own timeouts, with a picture
CLOSE_SECONDS = 3.0  # for the browser to close in good order after the report
MAX_REPORT_BYTES = 32 * 1024 * 1024
KEPT_LINES = 20  # of the error output
LONGEST_LINE = 300

log = logging.getLogger(__name__)


@asynccontextmanager
async def worker(job: Job, claim: Claim) -> AsyncIterator[Report]:
    """Make the visit in a process of its own and hand out its report as soon as it is there.

    On leaving, the process and everything it started is ended and its directory removed. A process that hangs or
    dies has a report too.
    """
    said: deque[str] = deque(maxlen=KEPT_LINES)
    process = await _start(job, claim)
    listening = asyncio.create_task(_listen(process, said))
    try:
        yield await _report(process, job, said)
    finally:
        await _end(process, claim)
        await listening


async def _start(job: Job, claim: Claim) -> asyncio.subprocess.Process:
    await asyncio.to_thread(claim.prepare)
    lifeline = make_lifeline()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(["-P"] if sys.flags.safe_path else []),
            "-m",
            "harvester.visit",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_REPORT_BYTES,
            env=os.environ | lifeline.environment | {"TMPDIR": str(claim.directory)},
            pass_fds=lifeline.pass_fds,
            start_new_session=True,  # a Ctrl-C in the terminal is the service's affair
        )
    finally:
        lifeline.hand_over()
    assert process.stdin is not None
    process.stdin.write(job.model_dump_json().encode() + b"\n")
    return process
