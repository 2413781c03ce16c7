"""The process of one visit: reads a `Job` from standard input, writes a `Report` to standard output, and is gone.

Its one argument is the visit's directory. It ends by itself, with the browser, when the service that started it is
gone.
"""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import psutil

from harvester.job import Job, Report
from harvester.processes import end_family
from harvester.visit.browser import open_tab
from harvester.visit.errors import BrowserFailed, NotNow, PageFailed, VisitFailed
from harvester.visit.run import Steps, visit
from harvester.visit.tab import Tab
from shared.models import Outcome, Step
from shared.processes.lifeline import on_parent_gone
from shared.processes.services import EXIT_ORPHANED


async def make_visit(job: Job, tell: Callable[[Report], None]) -> None:
    """Make the visit and *tell* how it went, before the browser is closed."""
    steps = Steps()
    async with AsyncExitStack() as stack:
        deadline = asyncio.get_running_loop().time() + job.limits.visit
        try:
            with steps.step(Step.BROWSER):
                tab = await stack.enter_async_context(
                    open_tab(
                        Path(job.browser),
                        url=job.page_url,
                        identity=job.identity,
                        session_id=job.session_id,
                        is_headed=job.is_headed,
                        timeout=job.limits.browser,
                    )
                )
        except BrowserFailed as error:
            tell(_browser_error(steps, str(error), is_passing=error.is_passing))
        except TimeoutError:
            reason = f"the browser did not start within {job.limits.browser:.0f} s"
            tell(_browser_error(steps, reason))
        else:
            tell(await _visit_in(tab, job, steps, deadline))


async def _visit_in(tab: Tab, job: Job, steps: Steps, deadline: float) -> Report:
    try:
        async with asyncio.timeout_at(deadline):
            capture, note = await visit(job, tab, steps)
    except VisitFailed as failure:
        report = await _failed(tab, steps, failure.outcome, failure.reason)
        return report.model_copy(update={"retry_after": failure.retry_after})
    except (PageFailed, NotNow) as error:
        return await _failed(tab, steps, Outcome.SITE_ERROR, f"the page cannot be used: {error}")
    except TimeoutError:
        took = steps.seconds.get(steps.current, 0.0)
        reason = f"the step '{steps.current}' was not over after {took:.0f} s"
        return await _failed(tab, steps, Outcome.TIMEOUT, reason)
    except BrowserFailed as error:
        reason = f"the window was closed, or {error}" if job.is_headed else str(error)
        return _browser_error(steps, reason, is_passing=not job.is_headed)
    return Report(outcome=Outcome.CAPTURED, reason=note, steps=steps.seconds, capture=capture)


def _browser_error(steps: Steps, reason: str, *, is_passing: bool = False) -> Report:
    return Report(outcome=Outcome.BROWSER_ERROR, reason=reason, steps=steps.seconds, is_passing=is_passing)


async def _failed(tab: Tab, steps: Steps, outcome: Outcome, reason: str) -> Report:
    picture = await tab.screenshot()
    return Report(
        outcome=outcome,
        reason=reason,
        steps=steps.seconds,
        screenshot=base64.b64encode(picture).decode() if picture else "",
    )


def _end_alone(directory: Path) -> None:
    """The service is gone: end the browser, remove the directory, and go too."""
    end_family(directory, root=psutil.Process(), spare={os.getpid()})
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(EXIT_ORPHANED)


async def _main(directory: Path) -> None:
    on_parent_gone(partial(_end_alone, directory))
    line = await asyncio.to_thread(sys.stdin.readline)
    job = Job.model_validate_json(line)
    # The driver and the browser inherit the directory: it marks them (harvester.processes).
    os.chdir(directory)

    def tell(report: Report) -> None:
        sys.stdout.write(report.model_dump_json() + "\n")
        sys.stdout.flush()

    await make_visit(job, tell)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
