"""Showing one page until its chat is there, or until there is no more reason to wait."""

import asyncio
import time
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_fixed

from harvester.job import Job
from harvester.visit.addresses import refresh_of
from harvester.visit.browser_errors import bot_check, refusal, retry_after, widget
from harvester.visit.tab import Look, NotNow, PageFailed, Tab
from shared.models import Outcome
from shared.plugins.aipkit.page import read_configs

POLL_SECONDS = 0.05
BUSY_SECONDS = 2.0  # more for a page to answer at all
RETRY_SECONDS = 1.0
MAX_MOVES = 2  # to other pages that a page may lead on to, each with time of its own


class VisitFailed(Exception):
    """The visit ends without a capture. `reason` is for the operator.

    `retry_after`: the seconds that the site asks to be left alone. `is_final`: no other page need be tried.
    """

    def __init__(self, outcome: Outcome, reason: str, *, retry_after: float = 0.0, is_final: bool = False) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.retry_after = retry_after
        self.is_final = is_final


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

    def follow(self, look: Look, deadline: asyncio.Timeout, most: float) -> None:
        """A page that leads on to another one is not at its end: that one gets time of its own."""
        if self.url and look.url != self.url and look.loads > self.moves + 1 and self.moves < MAX_MOVES:
            self.moves, self.begun = self.moves + 1, time.monotonic()
            deadline.reschedule(asyncio.get_running_loop().time() + most)
        self.url = look.url


async def watch(tab: Tab, job: Job, url: str, *, seconds: float, withheld: float | None = None) -> Look:
    """Show *url* until its chat can be read, or *seconds* are over. Raises `VisitFailed`.

    *withheld*: the seconds where scripts of other hosts were not loaded, if not the same.
    """
    await _go(tab, job, url)
    return await _watch(tab, job, _Patience(seconds, seconds if withheld is None else withheld, time.monotonic()))


async def _watch(tab: Tab, job: Job, patience: _Patience) -> Look:
    most = patience.seconds + job.limits.chat + job.limits.settle + BUSY_SECONDS
    is_more_below = not job.is_headed
    try:
        async with asyncio.timeout(most) as deadline:
            while True:
                look = await _look(tab)
                patience.follow(look, deadline, most)
                if _is_readable(look):
                    if look.ready or patience.is_over(job.limits.settle):
                        return look
                elif look.ready and not job.is_headed:
                    _refuse_check(look)
                if _is_enough(look, patience, job):
                    _refuse(look, job)
                    return look
                if is_more_below and look.ready and not has_chat(look):
                    is_more_below = await _scroll(tab)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise VisitFailed(
            Outcome.TIMEOUT, "the page does not come to rest: its scripts keep the browser busy, or reload it"
        ) from None


def has_chat(look: Look) -> bool:
    """Whether a page carries the chat: as markup that can be read, or at least as a field to type in."""
    return look.box or _is_readable(look)


def _is_readable(look: Look) -> bool:
    return read_configs(look.configs, {}) is not None


def _is_enough(look: Look, patience: _Patience, job: Job) -> bool:
    """Whether looking on is in vain, or what there is will do."""
    seconds = patience.withheld if look.withheld else patience.seconds
    leads = refresh_of(look.url, look.refreshes)
    if leads is not None and leads.seconds <= job.limits.chat:
        seconds = max(seconds, leads.seconds + job.limits.glance)
    elif look.ready and not job.is_headed and not look.scripts and not look.frames:
        return True  # nothing more can appear
    if look.box or (refusal(look.status) and not job.is_headed):
        seconds = min(seconds, job.limits.glance)
    return patience.is_over(seconds)


def _refuse_check(look: Look) -> None:
    """Raise `VisitFailed` if the page is a bot check beyond doubt."""
    check = bot_check(look.headers, look.title, look.resources)
    if check is not None:
        raise challenge(check, look)


def _refuse(look: Look, job: Job) -> None:
    """Raise `VisitFailed` if a bot check or an error stands in place of the page, which had its time."""
    if has_chat(look):
        return
    _refuse_check(look)
    reason = refusal(look.status)
    if reason is None:
        return
    check = widget(look.resources, len(look.links))
    if check is not None:
        raise challenge(check, look)
    pause = _asked_pause(look)
    if pause:
        reason = f"{reason}; it asks to be left alone for {pause:.0f} s, and is"
    raise VisitFailed(Outcome.SITE_ERROR, reason, retry_after=pause, is_final=pause > 0 or look.status == 429)


def challenge(check: str, look: Look) -> VisitFailed:
    """That the bot check of this name stands before the page."""
    return VisitFailed(
        Outcome.CHALLENGE,
        f"a bot check ({check}) stands before the page; a person may pass it with `freeaichat harvest --headed`",
        retry_after=_asked_pause(look),
        is_final=True,
    )


def _asked_pause(look: Look) -> float:
    return retry_after(look.headers, time.time()) if refusal(look.status) else 0.0


async def _look(tab: Tab) -> Look:
    while True:
        try:
            return await tab.look()
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
        raise VisitFailed(Outcome.TIMEOUT, f"the site did not begin to answer within {job.limits.load:.0f} s") from None
    except PageFailed as error:
        raise VisitFailed(Outcome.SITE_ERROR, str(error)) from error
