"""Showing one page until its chat is there, or until there is no more reason to wait."""

import asyncio
import time
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_fixed

from harvester.job import Job
from harvester.visit.addresses import refresh_of
from harvester.visit.errors import NotNow, PageFailed, VisitFailed
from harvester.visit.obstacles import bot_check, refusal, widget
from harvester.visit.plugins import plugin_of, readable_in
from harvester.visit.tab import POLL_SECONDS, RETRY_SECONDS, Snapshot, Tab
from shared.models import Cause, Outcome
from shared.retry_after import retry_after

BUSY_SECONDS = 2.0  # more for a page to answer at all
MAX_MOVES = 2  # to other pages that a page may lead on to, each with time of its own


@dataclass(slots=True)
class _Patience:
    """How long a page is looked at from `begun`; *withheld*: where scripts of other hosts were not loaded."""

    seconds: float
    withheld: float
    begun: float
    url: str = ""  # of the page that is looked at
    moves: int = 0

    def is_over(self, seconds: float) -> bool:
        return time.monotonic() - self.begun > seconds

    def follow(self, page: Snapshot, deadline: asyncio.Timeout, most: float) -> None:
        """A page that leads on to another one is not at its end: that one gets time of its own."""
        if self.url and page.url != self.url and page.loads > self.moves + 1 and self.moves < MAX_MOVES:
            self.moves, self.begun = self.moves + 1, time.monotonic()
            deadline.reschedule(asyncio.get_running_loop().time() + most)
        self.url = page.url


async def watch(tab: Tab, job: Job, url: str, *, seconds: float, withheld: float | None = None) -> Snapshot:
    """Show *url* until its chat can be read, or *seconds* are over. Raises `VisitFailed`.

    *withheld*: the seconds where scripts of other hosts were not loaded, if not the same.
    """
    await _go(tab, job, url)
    return await _watch(tab, job, _Patience(seconds, seconds if withheld is None else withheld, time.monotonic()))


async def _watch(tab: Tab, job: Job, patience: _Patience) -> Snapshot:
    most = patience.seconds + job.limits.chat + job.limits.settle + BUSY_SECONDS
    is_more_below = not job.is_headed
    try:
        async with asyncio.timeout(most) as deadline:
            while True:
                page = await _snapshot(tab)
                patience.follow(page, deadline, most)
                if readable_in(page):
                    if page.ready or patience.is_over(job.limits.settle):
                        return page
                elif page.ready and not job.is_headed and (check := bot_check(page)):
                    raise challenge(check, page)
                if _is_enough(page, patience, job):
                    _refuse(page)
                    return page
                if is_more_below and page.ready and not plugin_of(page):
                    is_more_below = await _scroll(tab)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise VisitFailed(
            Outcome.TIMEOUT,
            Cause.RESTLESS,
            "the page does not come to rest: its scripts keep the browser busy, or reload it",
        ) from None


def _is_enough(page: Snapshot, patience: _Patience, job: Job) -> bool:
    """Whether nothing more is to be expected, or what there is will do."""
    seconds = patience.withheld if page.withheld else patience.seconds
    leads = refresh_of(page.url, page.refreshes)
    if leads is not None and leads.seconds <= job.limits.chat:
        seconds = max(seconds, leads.seconds + job.limits.glance)
    elif page.ready and not job.is_headed and not page.scripts and not page.frames:
        return True  # nothing more can appear
    if page.fields or (refusal(page.status) and not job.is_headed):
        seconds = min(seconds, job.limits.glance)
    return patience.is_over(seconds)


def _refuse(page: Snapshot) -> None:
    """Raise `VisitFailed` if a bot check or an error stands in place of the page, which had its time."""
    if plugin_of(page):
        return
    refused = refusal(page.status)
    if check := bot_check(page) or (widget(page) if refused else None):
        raise challenge(check, page)
    if refused is None:
        return
    cause, reason = refused
    pause = _asked_pause(page)
    if pause:
        reason = f"{reason}; it asks to be left alone for {pause:.0f} s, and is"
    is_final = pause > 0 or page.status == 429
    raise VisitFailed(Outcome.SITE_ERROR, cause, reason, retry_after=pause, is_final=is_final)


def challenge(check: str, page: Snapshot) -> VisitFailed:
    """That the bot check of this name stands before the page."""
    return VisitFailed(
        Outcome.CHALLENGE,
        Cause.CHECK,
        f"a bot check ({check}) stands before the page; a person may pass it with `freeaichat harvest --headed`",
        retry_after=_asked_pause(page),
        is_final=True,
    )


def _asked_pause(page: Snapshot) -> float:
    if not refusal(page.status):
        return 0.0
    return retry_after(page.headers.get("retry-after", ""), page.headers.get("date", ""), now=time.time()) or 0.0


async def _snapshot(tab: Tab) -> Snapshot:
    while True:
        try:
            return await tab.snapshot()
        except NotNow:
            await asyncio.sleep(POLL_SECONDS)


async def _scroll(tab: Tab) -> bool:
    """Whether there is more to see below."""
    try:
        return await tab.scroll()
    except NotNow:
        return True


async def _go(tab: Tab, job: Job, url: str) -> None:
    """Begin to show *url*, with one more try where the connection broke. Raises `VisitFailed`."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, PageFailed) and error.is_passing),
        stop=stop_after_attempt(2),
        wait=wait_fixed(RETRY_SECONDS),
        reraise=True,
    )
    try:
        await retrying(tab.go, url, timeout=job.limits.load)
    except NotNow:
        return  # the page itself led on to another one, which is looked at instead
    except TimeoutError:
        reason = f"the site did not begin to answer within {job.limits.load:.0f} s"
        raise VisitFailed(Outcome.TIMEOUT, Cause.SILENT, reason) from None
    except PageFailed as error:
        raise VisitFailed(Outcome.SITE_ERROR, error.cause, str(error)) from error
