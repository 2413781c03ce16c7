"""Finding the page of a site that carries the chat."""

import asyncio
import time
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_fixed

from harvester.addresses import chat_candidates
from harvester.job import Job
from harvester.recognise import bot_check, refusal
from harvester.tab import Look, NotNow, PageFailed, Tab
from shared.aipkit.page import read_configs
from shared.models import Outcome

POLL_SECONDS = 0.05
BUSY_SECONDS = 2.0  # more for a page to answer at all
RETRY_SECONDS = 1.0
RESTLESS_LOADS = 3  # a page may lead on to another one by script, once; with more it is not at rest


class VisitFailed(Exception):
    """The visit ends without a capture. `reason` is for the operator."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Seen:
    look: Look
    was_glance: bool  # it got less time than a page that is to have the chat


async def find_chat(tab: Tab, job: Job) -> Look:
    """Show the page that has the chat, and what it shows. Raises `VisitFailed` and what `Tab` raises.

    The page that had it last gets the full time to show it. Any other is given up for a likelier one of the same
    site sooner; the configured page gets its full time at the end.
    """
    if job.remembered_url and (seen := await _try(tab, job, job.remembered_url, known=True)) and has_chat(seen.look):
        return seen.look
    first = await _watch(tab, job, job.page_url)
    if has_chat(first.look):
        return first.look
    visited = [job.page_url, first.look.url, job.remembered_url]
    for url in chat_candidates(first.look.url, first.look.links, visited) if first.was_glance else ():
        seen = await _try(tab, job, url)
        if seen and has_chat(seen.look):
            return seen.look
    last = await _watch(tab, job, job.page_url, known=True) if first.was_glance else first
    if has_chat(last.look):
        return last.look
    raise _nothing_found(last.look)


def has_chat(look: Look) -> bool:
    """Whether a page carries the chat: as markup that can be read, or at least as a field to type in."""
    return look.box or _is_readable(look)


def _is_readable(look: Look) -> bool:
    return read_configs(look.configs, {}) is not None


def _nothing_found(look: Look) -> VisitFailed:
    if not look.ready:
        return VisitFailed(Outcome.TIMEOUT, "the page never finished loading, and no chat appeared on it")
    if look.loads >= RESTLESS_LOADS:  # by chance it was looked at between two of them
        return VisitFailed(Outcome.TIMEOUT, f"the page loaded itself {look.loads} times, and no chat appeared on it")
    return VisitFailed(
        Outcome.NO_CHAT,
        f"no chat on {look.url} (HTTP {look.status}) nor on the likeliest pages it links to; if the site moved it, "
        "name its page in FREEAICHAT_SITES",
    )


async def _try(tab: Tab, job: Job, url: str, *, known: bool = False) -> _Seen | None:
    """As `_watch`, for a page that need not be there. A bot check ends the visit all the same."""
    try:
        return await _watch(tab, job, url, known=known)
    except VisitFailed as failure:
        if failure.outcome is Outcome.CHALLENGE:
            raise
        return None


async def _watch(tab: Tab, job: Job, url: str, *, known: bool = False) -> _Seen:
    """Show *url* until its chat can be read or its time is over. Raises `VisitFailed`.

    *known*: it carried the chat before, or nothing else is left, so it gets its full time.
    """
    await _go(tab, job, url)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(job.limits.chat + job.limits.settle + BUSY_SECONDS):
            while True:
                look = await _look(tab)
                waited = time.monotonic() - begun
                if _is_readable(look):
                    if look.ready or waited > job.limits.settle:
                        return _Seen(look, was_glance=False)
                elif look.ready and not job.is_headed:
                    _refuse(look)
                is_glance = not known and not job.is_headed and _leads_elsewhere(job, look)
                patience = job.limits.glance if is_glance or look.box else job.limits.chat
                if waited > patience or (_is_all(look) and not job.is_headed):
                    if job.is_headed:
                        _refuse(look)
                    return _Seen(look, was_glance=is_glance)
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise VisitFailed(
            Outcome.TIMEOUT, "the page does not come to rest: its scripts keep the browser busy, or reload it"
        ) from None


def _is_all(look: Look) -> bool:
    """Whether nothing more can appear on a page: it has come, and has no script."""
    return look.ready and not look.scripts


def _leads_elsewhere(job: Job, look: Look) -> bool:
    return bool(chat_candidates(look.url, look.links, [job.page_url, look.url, job.remembered_url]))


def _refuse(look: Look) -> None:
    """Raise `VisitFailed` if a bot check or an error stands in place of the page."""
    check = bot_check(look.headers, look.title, look.resources, len(look.links))
    if check is not None:
        raise VisitFailed(
            Outcome.CHALLENGE,
            f"a bot check ({check}) stands before the page; a person may pass it with `freeaichat harvest --headed`",
        )
    reason = refusal(look.status)
    if reason is not None:
        raise VisitFailed(Outcome.SITE_ERROR, reason)


async def _look(tab: Tab) -> Look:
    while True:
        try:
            return await tab.look()
        except NotNow:
            await asyncio.sleep(POLL_SECONDS)


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
