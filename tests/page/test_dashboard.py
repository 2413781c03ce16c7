"""The dashboard over time: what is redrawn by itself moves nobody, and its figures fit and agree."""

import asyncio
import json
import re
from time import time
from typing import Any

import pytest
from playwright.async_api import Route, expect

from proxy.upstreams import breaker
from shared.admin.usage import UsageBatch, UsageGroup, hour_of
from shared.processes import heartbeat
from tests.openai_server import HttpError, OpenAiPeer
from tests.page.browsing import PHONE, OpenedPage, PageOpener
from tests.site import SimulatedSite

PLACES = """
() => [document.querySelector('main').scrollTop, document.activeElement.className,
       ...[...document.querySelectorAll('.scroller')].map(each => each.scrollLeft)]
"""
TO_THE_END = """
() => {
    document.querySelector('main').scrollTop = 1e6;
    for (const each of document.querySelectorAll('.scroller')) {
        each.scrollLeft = 40;
        each.focus({ preventScroll: true });
    }
}
"""


async def used(opened: OpenedPage) -> None:
    """Show what was used by a model of some name."""
    counters = {"requests": 3, "refused": 2, "error:upstream_error": 1, "tokens_in": 600_000_000, "tools:valid": 1}
    group = UsageGroup(hour_of(time()), "open", "a-model-with-a-long-name", "http://site")
    await opened.proxy.store.add_usage(UsageBatch("some", {group: counters}))
    await opened.go("Dashboard")
    await expect(opened.page.locator("figure canvas").last).to_be_attached()


async def test_the_scroll_position_stays_when_the_figures_are_redrawn(opener: PageOpener) -> None:
    opened = await opener.open(size=PHONE)
    page = opened.page
    await used(opened)
    await page.evaluate(TO_THE_END)
    before = await page.evaluate(PLACES)
    assert before[0] > PHONE[1]
    assert before[1:] == ["scroller", 40, 40, 40]
    await page.evaluate("document.querySelector('figure').id = 'old'")
    await page.evaluate("document.dispatchEvent(new Event('theme'))")  # as every few seconds
    await expect(page.locator("#old")).to_have_count(0)

    assert await page.evaluate(PLACES) == before


async def test_large_numbers_fit_and_what_limits_refused_is_among_the_errors(opened: OpenedPage) -> None:
    await used(opened)
    cells = opened.page.locator(".charts .scroller").get_by_role("cell")
    await expect(cells.nth(2)).to_have_text("upstream_error 1, refused by limits 2")
    script = "async () => { const { short } = await import('/assets/i18n.js'); return [4000, 600e6].map(short) }"
    assert await opened.page.evaluate(script) == ["4,000", "600M"]

    await opened.page.get_by_role("button", name="中文").click()
    await expect(cells.nth(2)).to_have_text("upstream_error 1, 因限额拒绝 2")
    assert await opened.page.evaluate(script) == ["4,000", "6亿"]


async def test_why_nothing_is_answered_is_reported_in_the_pages_language(opener: PageOpener) -> None:
    opened = await opener.open(locale="zh-CN", servers="away=http://127.0.0.1:9/v1")

    async def refused(route: Route) -> None:
        status: dict[str, Any] = await (await route.fetch()).json()
        status["store"]["trouble"] = "the disk is full"
        status["sites"][0] |= {"ready": False, "reason": "refused", "code": "credentials_refused"}
        await route.fulfill(body=json.dumps(status))

    await opened.page.route("**/admin/status", refused)
    await opened.page.goto(f"{opened.proxy.url}/#/dashboard")
    notes = opened.page.locator(".note.error:visible")
    await expect(notes).to_have_count(3)
    for number, (meaning, detail) in enumerate(
        (("存储暂时不可用。", "the disk is full"), ("站点拒绝了当前凭据", ""), ("无法连接服务器", "cannot connect"))
    ):
        await expect(notes.nth(number)).to_contain_text(meaning)
        await expect(notes.nth(number)).to_contain_text(detail)


async def test_a_site_at_its_limit_of_a_minute_is_said_to_be(opener: PageOpener, site: SimulatedSite) -> None:
    site.behaviour.stream_error = "Too many requests. Please wait a minute and try again."
    opened = await opener.open()
    await opened.proxy.chat("hi")
    await opened.go("Dashboard")
    note = opened.page.locator("article.card .note.error")

    await expect(note).to_have_text("The site takes no more requests from this address in this minute.")
    await opened.page.get_by_role("button", name="中文").click()
    await expect(note).to_contain_text("本分钟内")


async def test_a_site_whose_trial_is_under_way_is_said_to_have_failed(
    opener: PageOpener, site: SimulatedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE", 0.0)
    opened = await opener.open()
    site.behaviour.ajax_status = 500
    for _ in range(breaker.FAILURES_TO_OPEN):
        await opened.proxy.chat("hi")
    site.behaviour.update({"ajax_status": 0, "first_delta_delay": 5.0})
    trial = asyncio.create_task(opened.proxy.chat("hi"))
    async with asyncio.timeout(5):
        while not site.open_streams:
            await asyncio.sleep(0.01)
    await opened.go("Dashboard")

    await expect(opened.page.locator("article.card .note.error")).to_contain_text("failed again and again")
    trial.cancel()


async def test_a_servers_own_words_are_not_taken_for_the_proxys(opener: PageOpener) -> None:
    async with OpenAiPeer("tiny") as server:
        server.listing = HttpError(500, {"error": "left alone: too much in this minute"})
        opened = await opener.open(servers=f"mine={server.base_url}")
        await opened.go("Dashboard")
        note = opened.page.locator("article.card .note.error")

        await expect(note).to_contain_text("The server cannot be reached, refuses its key, or lists no models.")
        await expect(note).to_contain_text("left alone: too much in this minute")


async def test_the_dashboard_shows_servers_beside_sites(opener: PageOpener) -> None:
    async with OpenAiPeer("tiny", "small") as server:
        opened = await opener.open(servers=f"mine={server.base_url}")
        await opened.go("Dashboard")
        cards = opened.page.locator("article.card")

        await expect(cards).to_have_count(2)
        await expect(cards.nth(0)).to_contain_text("AIPKit site")
        mine = cards.nth(1)
        await expect(mine.get_by_role("heading")).to_have_text(["mine"])
        await expect(mine).to_contain_text("OpenAI-compatible server")
        await expect(mine).to_contain_text("Models2")
        await expect(mine).not_to_contain_text("Visit")
        await expect(cards.get_by_role("button", name="Visit now")).to_have_count(1)


async def test_a_harvester_that_was_just_stopped_is_said_not_to_run_with_the_age_of_its_heartbeat(
    opened: OpenedPage,
) -> None:
    await heartbeat.beat(opened.proxy.store, beat_at := time())
    await heartbeat.withdraw(opened.proxy.store, beat_at)
    await opened.go("Dashboard")

    tile = opened.page.locator(".tile").filter(has_text="Harvester")
    await expect(tile).to_contain_text("not running")
    await expect(tile.locator(".hint")).to_have_text(re.compile(r"^\d+ s ago · freeaichat up starts it$"))
