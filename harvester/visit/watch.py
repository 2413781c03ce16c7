"""Opening one page and waiting for its chat."""

import asyncio
import time
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_fixed

from harvester.job import Job
from harvester.visit.addresses import find_refresh
from harvester.visit.errors import BY_HAND, Navigating, PageFailed, VisitFailed
from harvester.visit.obstacles import bot_check, firewall, refusal, widget
from harvester.visit.plugins import find_plugin, find_readable_plugin
from harvester.visit.tab import POLL_SECONDS, RETRY_SECONDS, Snapshot, Tab
from shared.models import Cause
from shared.retry_after import retry_after

BUSY_SECONDS = 2.0  # extra time for a busy page
BLOCKED_SECONDS = 60.0  # least pause after a firewall's refusal, which does not pass as quickly as an error
MAX_MOVES = 2  # redirects by script, each of which restarts the time


@dataclass(slots=True)
class _TimeBudget:
    """The time limit for a page."""

    seconds: float
    withheld: float  # the limit instead of `seconds` if scripts of other hosts were blocked
    started: float  # monotonic
    url: str = ""  # of the current page
    moves: int = 0
    field_seen: float = 0.0  # monotonic: when the page first had a message field of a chat that could not be read

    def is_over(self, seconds: float) -> bool:
        return time.monotonic() - self.started > seconds

    def follow(self, page: Snapshot, deadline: asyncio.Timeout, max_seconds: float) -> None:
        """Restart the time if the page has redirected to another one."""
        if self.url and page.url != self.url and page.loads > self.moves + 1 and self.moves < MAX_MOVES:
            self.moves, self.started, self.field_seen = self.moves + 1, time.monotonic(), 0.0
            deadline.reschedule(asyncio.get_running_loop().time() + max_seconds)
        self.url = page.url


async def watch(tab: Tab, job: Job, url: str, *, seconds: float, withheld: float | None = None) -> Snapshot:
    """Open *url* and wait until its chat can be read, or *seconds* are over. Raises `VisitFailed`.

    *withheld*: the seconds if scripts of other hosts were blocked; None: the same.
    """
    await _go(tab, job, url)
    return await _watch(tab, job, _TimeBudget(seconds, seconds if withheld is None else withheld, time.monotonic()))


async def _watch(tab: Tab, job: Job, budget: _TimeBudget) -> Snapshot:
    max_seconds = budget.seconds + job.limits.chat + job.limits.settle + BUSY_SECONDS
    is_more_below = not job.is_headed
    try:
        async with asyncio.timeout(max_seconds) as deadline:
            while True:
                page = await _snapshot(tab)
                budget.follow(page, deadline, max_seconds)
                if find_readable_plugin(page):
                    if page.ready or budget.is_over(job.limits.settle):
                        return page
                elif page.ready and not job.is_headed and (check := bot_check(page)):
                    raise challenge(check, page)
                if _is_over(page, budget, job):
                    _refuse(page)
                    return page
                if is_more_below and page.ready and not find_plugin(page):
                    is_more_below = await _scroll(tab)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise VisitFailed(
            Cause.RESTLESS,
            "the page does not come to rest: its scripts keep the browser busy, or reload it",
        ) from None


def _is_over(page: Snapshot, budget: _TimeBudget, job: Job) -> bool:
    """Whether to stop waiting."""
    seconds = budget.withheld if page.withheld else budget.seconds
    refresh = find_refresh(page.url, page.refreshes)
    if refresh is not None and refresh.seconds <= job.limits.chat:
        seconds = max(seconds, refresh.seconds + job.limits.glance)
    elif page.ready and not job.is_headed and not page.scripts and not page.frames:
        return True  # nothing more can appear
    if page.fields:  # of a slow page it is seen before the document that has the attributes is read
        budget.field_seen = budget.field_seen or time.monotonic()
        return time.monotonic() - budget.field_seen > job.limits.glance
    if refusal(page.status) and not job.is_headed:
        seconds = min(seconds, job.limits.glance)
    return budget.is_over(seconds)


def _refuse(page: Snapshot) -> None:
    """Raise `VisitFailed` if the page is a bot check or an error page."""
    if find_plugin(page):
        return
    refused = refusal(page.status)
    if vendor := firewall(page):
        reason = f"the site's firewall ({vendor}) blocks this address; only its operator can allow it"
        pause = max(_retry_after(page), BLOCKED_SECONDS)
        raise VisitFailed(Cause.REFUSED, reason, retry_after=pause)
    if check := bot_check(page) or (widget(page) if refused else None):
        raise challenge(check, page)
    if refused is None:
        return
    cause, reason = refused
    pause = _retry_after(page)
    if pause:
        reason = f"{reason}; it asks to be left alone for {pause:.0f} s, and is"
    raise VisitFailed(cause, reason, retry_after=pause)


def challenge(check: str, page: Snapshot) -> VisitFailed:
    """The error for a bot check of the vendor *check*."""
    return VisitFailed(
        Cause.CHECK,
        f"a bot check ({check}) stands before the page; a person may pass it with {BY_HAND}",
        retry_after=_retry_after(page),
    )


def _retry_after(page: Snapshot) -> float:
    if not refusal(page.status):
        return 0.0
    return retry_after(page.headers.get("retry-after", ""), page.headers.get("date", ""), now=time.time()) or 0.0


async def _snapshot(tab: Tab) -> Snapshot:
    while True:
        try:
            return await tab.snapshot()
        except Navigating:
            await asyncio.sleep(POLL_SECONDS)


async def _scroll(tab: Tab) -> bool:
    """Scroll down; returns whether there is more below."""
    try:
        return await tab.scroll()
    except Navigating:
        return True


async def _go(tab: Tab, job: Job, url: str) -> None:
    """Navigate to *url*, with one retry after a transient error. Raises `VisitFailed`."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, PageFailed) and error.is_transient),
        stop=stop_after_attempt(2),
        wait=wait_fixed(RETRY_SECONDS),
        reraise=True,
    )
    try:
        await retrying(tab.go, url, timeout=job.limits.load)
    except Navigating:
        return  # the page itself led on to another one, which is looked at instead
    except TimeoutError:
        reason = f"the site did not begin to answer within {job.limits.load:.0f} s"
        raise VisitFailed(Cause.SILENT, reason) from None
    except PageFailed as error:
        raise VisitFailed(error.cause, str(error)) from error
