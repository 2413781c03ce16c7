"""What the process of one visit does: reads a `Job` from standard input, writes a `Report` to standard output."""

import asyncio
import base64
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

from playwright.async_api import Playwright

from harvester.job import Job, Report
from harvester.visit.browser import open_tab
from harvester.visit.errors import BrowserFailed, NotNow, PageFailed, VisitFailed
from harvester.visit.run import Steps, visit
from harvester.visit.tab import Tab
from shared.models import Cause, Outcome, Step
from shared.serialization import from_json, to_json


async def run(driver: Awaitable[Playwright]) -> None:
    """Make the visit that standard input asks for, with *driver*, which is about to start."""
    line = await asyncio.to_thread(sys.stdin.readline)

    def tell(report: Report) -> None:
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
    await make_visit(job, opening, tell)


async def make_visit(job: Job, opening: AbstractAsyncContextManager[Tab], tell: Callable[[Report], None]) -> None:
    """Make the visit in the tab of *opening*, and *tell* how it went before that is closed."""
    steps = Steps()
    async with AsyncExitStack() as stack:
        deadline = asyncio.get_running_loop().time() + job.limits.visit
        try:
            with steps.step(Step.BROWSER):
                tab = await stack.enter_async_context(opening)
        except BrowserFailed as error:
            tell(_browser_error(steps, error.cause, str(error), is_passing=error.is_passing))
        except TimeoutError:
            reason = f"the browser did not start within {job.limits.browser:.0f} s"
            tell(_browser_error(steps, Cause.NOT_STARTED, reason))
        else:
            tell(await _visit_in(tab, job, steps, deadline))


async def _visit_in(tab: Tab, job: Job, steps: Steps, deadline: float) -> Report:
    try:
        async with asyncio.timeout_at(deadline):
            capture, note = await visit(job, tab, steps)
    except VisitFailed as failure:
        return await _failed(tab, steps, failure)
    except (PageFailed, NotNow) as error:
        cause = error.cause if isinstance(error, PageFailed) else Cause.RESTLESS
        return await _failed(tab, steps, VisitFailed(Outcome.SITE_ERROR, cause, f"the page cannot be used: {error}"))
    except TimeoutError:
        took = steps.seconds.get(steps.current, 0.0)
        reason = f"the step '{steps.current}' was not over after {took:.0f} s"
        return await _failed(tab, steps, VisitFailed(Outcome.TIMEOUT, Cause.SLOW, reason))
    except BrowserFailed as error:
        reason = f"the window was closed, or {error}" if job.is_headed else str(error)
        return _browser_error(steps, error.cause, reason, is_passing=not job.is_headed)
    odd = Cause.OTHER_PAGE if note else ""
    return Report(outcome=Outcome.CAPTURED, cause=odd, reason=note, steps=steps.seconds, capture=capture)


def _browser_error(steps: Steps, cause: Cause, reason: str, *, is_passing: bool = False) -> Report:
    return Report(outcome=Outcome.BROWSER_ERROR, cause=cause, reason=reason, steps=steps.seconds, is_passing=is_passing)


async def _failed(tab: Tab, steps: Steps, failure: VisitFailed) -> Report:
    picture = await tab.screenshot()
    return Report(
        outcome=failure.outcome,
        cause=failure.cause,
        reason=failure.reason,
        retry_after=failure.retry_after,
        steps=steps.seconds,
        screenshot=base64.b64encode(picture).decode() if picture else "",
    )
