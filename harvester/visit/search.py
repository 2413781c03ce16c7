"""Finding the page of a site that carries the chat."""

from collections.abc import Awaitable
from dataclasses import dataclass

from harvester.job import Job
from harvester.visit.addresses import MAX_CANDIDATES, chat_candidates, find_refresh, pages_on_site
from harvester.visit.errors import Navigating, PageFailed, VisitFailed
from harvester.visit.obstacles import click_hint, find_wall, missing_chat, older_chat, widget
from harvester.visit.plugins import PLUGINS, find_plugin
from harvester.visit.plugins.interface import Plugin
from harvester.visit.tab import PageDetails, Snapshot, Tab
from harvester.visit.watch import challenge, watch
from shared.models import Cause
from shared.urls import is_other_page

RESTLESS_LOADS = 3  # a page may redirect by script once; with more loads it never settles


@dataclass(frozen=True, slots=True)
class FoundChat:
    """The page that has the chat of `plugin`. `note`: why it is not the page of the settings; "" if it is."""

    page: Snapshot
    plugin: Plugin
    note: str = ""


async def find_chat(tab: Tab, job: Job) -> FoundChat:
    """Find and open the page that has the chat. Raises `VisitFailed` and what `Tab` raises.

    The page of the last capture comes first, then the configured one; both get the full time. Only then other pages of
    the same site are tried, for a shorter time, since each may have another chat.
    """
    page = await _watch_optional(_watch_configured(tab, job, job.remembered_url)) if job.remembered_url else None
    if page and (plugin := find_plugin(page)):
        return FoundChat(page, plugin, _note(job, page, "where the last visit found it"))
    first = await _watch_configured(tab, job, job.page_url)
    if plugin := find_plugin(first):
        return FoundChat(first, plugin)
    checks: list[VisitFailed] = []
    candidates = [] if job.is_headed else _candidates(job, first)
    for url in candidates:
        seconds = job.limits.glance if len(candidates) > 1 else job.limits.chat
        page = await _watch_optional(watch(tab, job, url, seconds=seconds))
        if page and (plugin := find_plugin(page)):
            return FoundChat(page, plugin, _note(job, page, "since that one showed none"))
        checks += [check] if page and (check := _check(page)) else []
    last = await watch(tab, job, job.page_url, seconds=job.limits.glance) if candidates else first
    if plugin := find_plugin(last):
        return FoundChat(last, plugin)
    raise _not_found_error(last, await _page_details(tab), checks)


async def _watch_configured(tab: Tab, job: Job, url: str) -> Snapshot:
    """Watch a page that should have the chat, first without the scripts of other hosts, which few chats need."""
    seen = await watch(tab, job, url, seconds=job.limits.chat, withheld=job.limits.glance)
    if find_plugin(seen) or not seen.withheld:
        return seen
    tab.allow_third_party()
    return await watch(tab, job, url, seconds=job.limits.chat)


def _candidates(job: Job, first: Snapshot) -> list[str]:
    """Pages that may have the chat, the likeliest first: the page's frames, its refresh target, and its links."""
    visited = [job.page_url, first.url, job.remembered_url]
    refresh = find_refresh(first.url, first.refreshes)
    frames_and_target = pages_on_site(first.url, [*first.frames, *([refresh.url] if refresh else [])], visited)
    linked = chat_candidates(first.url, first.links, [*visited, *frames_and_target])
    return [*frames_and_target, *linked][:MAX_CANDIDATES]


async def _watch_optional(watching: Awaitable[Snapshot]) -> Snapshot | None:
    """Watch a page that need not exist. A bot check or a Retry-After still ends the visit."""
    try:
        return await watching
    except VisitFailed as failure:
        if failure.is_final:
            raise
        return None


def _note(job: Job, page: Snapshot, why: str) -> str:
    if not is_other_page(job.page_url, page.url):
        return ""
    by = "which the settings name" if job.named_url == job.page_url else "which was asked for"
    return f"this is the chat of {page.url}, not of {job.page_url}, {by}: it was taken {why}"


async def _page_details(tab: Tab) -> PageDetails:
    try:
        return await tab.details()
    except (Navigating, PageFailed, TimeoutError):
        return PageDetails(text="", buttons=[], asks_password=False)


def _check(page: Snapshot) -> VisitFailed | None:
    found = widget(page)
    return challenge(found, page) if found else None


def _not_found_error(page: Snapshot, details: PageDetails, checks: list[VisitFailed]) -> VisitFailed:
    if not page.ready:
        return VisitFailed(Cause.RESTLESS, "the page never finished loading, and no chat appeared on it")
    if page.loads >= RESTLESS_LOADS:  # by chance it was looked at between two of them
        reason = f"the page loaded itself {page.loads} times, and no chat appeared on it"
        return VisitFailed(Cause.RESTLESS, reason)
    if (obstacle := find_wall(page, details)) is not None:
        return VisitFailed(*obstacle)
    if (check := _check(page)) is not None or (check := next(iter(checks), None)) is not None:
        return check
    missing = missing_chat(details, (plugin.missing_chat_text for plugin in PLUGINS)) or older_chat(details)
    click = None if missing else click_hint(details)
    hint = missing or click or "if the site moved it, name its page in FREEAICHAT_SITES"
    return VisitFailed(
        Cause.CLICK if click else Cause.NO_CHAT,
        f"no chat on {page.url} (HTTP {page.status}) nor on the likeliest pages it links to; {hint}",
    )
