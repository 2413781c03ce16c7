"""The main routine of a visit's process: reads a `Job` from standard input, writes a `Report` to standard output."""

import asyncio
import base64
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

from playwright.async_api import Playwright

from harvester.job import Job, Report
from harvester.visit.browser import open_tab
from harvester.visit.errors import BY_HAND, BrowserFailed, Navigating, PageFailed, VisitFailed
from harvester.visit.run import StepTimer, visit
from harvester.visit.tab import Tab
from shared.models import Cause, Step
from shared.serialization import from_json, to_json


async def run(driver: Awaitable[Playwright]) -> None:
    """Run the job on standard input, with *driver*, which may still be starting."""
    line = await asyncio.to_thread(sys.stdin.readline)

    def send_report(report: Report) -> None:
        sys.stdout.write(to_json(report) + "\n")
        sys.stdout.flush()

    job = from_json(Job, line)
    opening = open_tab(
        driver,
        Path(job.browser),
        url=job.page_url,
        identity=job.identity,
        session_id=job.session_id,
        is_headed=job.is_headed,
        timeout=job.limits.browser,
    )
    await make_visit(job, opening, send_report)


async def make_visit(
    job: Job, opening: AbstractAsyncContextManager[Tab], send_report: Callable[[Report], None]
) -> None:
    """Run the visit in the tab of *opening*, and *send_report* the report before that is closed."""
    steps = StepTimer()
    async with AsyncExitStack() as stack:
        deadline = asyncio.get_running_loop().time() + job.limits.visit
        try:
            with steps.step(Step.BROWSER):
                tab = await stack.enter_async_context(opening)
        except BrowserFailed as error:
            report = Report(cause=error.cause, reason=str(error), is_transient=error.is_transient, steps=steps.seconds)
            send_report(report)
        except TimeoutError:
            reason = f"the browser did not start within {job.limits.browser:.0f} s"
            send_report(Report(cause=Cause.NOT_STARTED, reason=reason, steps=steps.seconds))
        else:
            send_report(await _visit_in(tab, job, steps, deadline))


async def _visit_in(tab: Tab, job: Job, steps: StepTimer, deadline: float) -> Report:
    try:
        async with asyncio.timeout_at(deadline):
            capture, note = await visit(job, tab, steps)
    except VisitFailed as failure:
        return await _failed(tab, job, steps, failure)
    except (PageFailed, Navigating) as error:
        cause = error.cause if isinstance(error, PageFailed) else Cause.RESTLESS
        unusable = VisitFailed(cause, f"the page cannot be used: {error}")
        return await _failed(tab, job, steps, unusable)
    except TimeoutError:
        seconds = steps.seconds.get(steps.current, 0.0)
        reason = f"the step '{steps.current}' was not over after {seconds:.0f} s"
        return await _failed(tab, job, steps, VisitFailed(Cause.SLOW, reason))
    except BrowserFailed as error:
        reason = f"the window was closed, or {error}" if job.is_headed else str(error)
        return Report(cause=error.cause, reason=reason, is_transient=not job.is_headed, steps=steps.seconds)
    return Report(cause=Cause.OTHER_PAGE if note else None, reason=note, steps=steps.seconds, capture=capture)


async def _failed(tab: Tab, job: Job, steps: StepTimer, failure: VisitFailed) -> Report:
    screenshot = await tab.screenshot()
    return Report(
        cause=failure.cause,
        reason=failure.reason.replace(BY_HAND, f"`freeaichat harvest --headed --site {job.site}`"),
        retry_after=failure.retry_after,
        steps=steps.seconds,
        screenshot=base64.b64encode(screenshot).decode() if screenshot else "",
    )
