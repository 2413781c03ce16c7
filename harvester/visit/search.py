"""Finding the page of a site that carries the chat."""

from collections.abc import Awaitable
from dataclasses import dataclass

from harvester.job import Job
from harvester.visit.addresses import MAX_CANDIDATES, chat_candidates, own_pages, refresh_of
from harvester.visit.errors import NotNow, PageFailed, VisitFailed
from harvester.visit.obstacles import click_hint, missing_chat, older_chat, wall, widget
from harvester.visit.plugins import PLUGINS, plugin_of
from harvester.visit.plugins.interface import Plugin
from harvester.visit.tab import Signs, Snapshot, Tab
from harvester.visit.watch import challenge, watch
from shared.models import Cause, Outcome
from shared.parsing import is_other_page

RESTLESS_LOADS = 3  # a page may lead on to another one by script, once; with more it is not at rest


@dataclass(frozen=True, slots=True)
class Found:
    """The page that has the chat of `plugin`. `note`: that it is not the one of the settings, and why; else ""."""

    page: Snapshot
    plugin: Plugin
    note: str = ""


async def find_chat(tab: Tab, job: Job) -> Found:
    """Show the page that has the chat, and what it shows. Raises `VisitFailed` and what `Tab` raises.

    The page that had it last comes first, then the configured one; both get the full time to show it. Only then other
    pages of the same site are looked at, less long, since each may have another chat.
    """
    seen = await _try(_fully(tab, job, job.remembered_url)) if job.remembered_url else None
    if seen and (plugin := plugin_of(seen)):
        return Found(seen, plugin, _note(job, seen, "where the last visit found it"))
    first = await _fully(tab, job, job.page_url)
    if plugin := plugin_of(first):
        return Found(first, plugin)
    checks: list[VisitFailed] = []
    candidates = [] if job.is_headed else _candidates(job, first)
    for url in candidates:
        seconds = job.limits.glance if len(candidates) > 1 else job.limits.chat
        seen = await _try(watch(tab, job, url, seconds=seconds))
        if seen and (plugin := plugin_of(seen)):
            return Found(seen, plugin, _note(job, seen, "since that one showed none"))
        checks += [check] if seen and (check := _check(seen)) else []
    last = await watch(tab, job, job.page_url, seconds=job.limits.glance) if candidates else first
    if plugin := plugin_of(last):
        return Found(last, plugin)
    raise _nothing_found(last, await _signs(tab), checks)


async def _fully(tab: Tab, job: Job, url: str) -> Snapshot:
    """A page that is to have the chat, first without the scripts of other hosts, of which hardly a chat needs any."""
    seen = await watch(tab, job, url, seconds=job.limits.chat, withheld=job.limits.glance)
    if plugin_of(seen) or not seen.withheld:
        return seen
    tab.widen()
    return await watch(tab, job, url, seconds=job.limits.chat)


def _candidates(job: Job, first: Snapshot) -> list[str]:
    """Pages that may have the chat, the likeliest first: frames of the page, where it leads, and what it links to."""
    visited = [job.page_url, first.url, job.remembered_url]
    leads = refresh_of(first.url, first.refreshes)
    near = own_pages(first.url, [*first.frames, *([leads.url] if leads else [])], visited)
    linked = chat_candidates(first.url, first.links, [*visited, *near])
    return [*near, *linked][:MAX_CANDIDATES]


async def _try(watching: Awaitable[Snapshot]) -> Snapshot | None:
    """For a page that need not be there. A bot check, or being asked to wait, ends the visit all the same."""
    try:
        return await watching
    except VisitFailed as failure:
        if failure.is_final:
            raise
        return None


def _note(job: Job, page: Snapshot, why: str) -> str:
    if not is_other_page(job.page_url, page.url):
        return ""
    return f"this is the chat of {page.url}, not of {job.page_url}, which the settings name: it was taken {why}"


async def _signs(tab: Tab) -> Signs:
    try:
        return await tab.signs()
    except (NotNow, PageFailed, TimeoutError):
        return Signs(text="", buttons=[], asks_password=False)


def _check(page: Snapshot) -> VisitFailed | None:
    found = widget(page)
    return challenge(found, page) if found else None


def _nothing_found(page: Snapshot, signs: Signs, checks: list[VisitFailed]) -> VisitFailed:
    if not page.ready:
        return VisitFailed(
            Outcome.TIMEOUT, Cause.RESTLESS, "the page never finished loading, and no chat appeared on it"
        )
    if page.loads >= RESTLESS_LOADS:  # by chance it was looked at between two of them
        reason = f"the page loaded itself {page.loads} times, and no chat appeared on it"
        return VisitFailed(Outcome.TIMEOUT, Cause.RESTLESS, reason)
    if (stands := wall(page, signs)) is not None:
        return VisitFailed(Outcome.NO_CHAT, *stands)
    if (check := _check(page)) is not None or (check := next(iter(checks), None)) is not None:
        return check
    missing = missing_chat(signs, (plugin.absence for plugin in PLUGINS)) or older_chat(signs)
    click = None if missing else click_hint(signs)
    hint = missing or click or "if the site moved it, name its page in FREEAICHAT_SITES"
    return VisitFailed(
        Outcome.NO_CHAT,
        Cause.CLICK if click else Cause.NO_CHAT,
        f"no chat on {page.url} (HTTP {page.status}) nor on the likeliest pages it links to; {hint}",
    )
