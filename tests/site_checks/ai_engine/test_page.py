"""The AI Engine page's script in a real browser: what it takes away, and what it sends."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.site_ai_engine import SimulatedAiEngine
from tests.site_checks.ai_engine.recordings import recording

START, SUBMIT = "start_session", "chats/submit"
LEFT = "() => document.querySelectorAll('[data-system]').length"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = os.environ.get("FREEAICHAT_BROWSER") or shutil.which("chromium-headless-shell")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        await page.close()


async def say(page: Page, text: str) -> str:
    """Type a message as a person does; the finished answer."""
    answers = page.locator(".mwai-log p[data-finished]")
    count = await answers.count()
    await page.locator(".mwai-chatbot input").first.fill(text)
    await page.locator(".mwai-chatbot input").first.press("Enter")
    await answers.nth(count).wait_for(state="attached")
    return str(await answers.nth(count).text_content())


async def test_the_script_takes_the_configuration_away_and_asks_nothing_before_the_first_character(page: Page) -> None:
    async with SimulatedAiEngine() as site:
        await page.goto(f"{site.url}chat/")
        assert await page.evaluate(LEFT) == 0
        assert await page.locator("[data-mwai-initialized]").count() == 6
        assert site.requests == []

        await page.locator(".mwai-chatbot input").first.press("a")
        async with asyncio.timeout(10):
            while not site.requests_to(START):
                await asyncio.sleep(0.01)

    (started,) = site.requests_to(START)
    assert started.headers["Content-Type"] == "application/json"
    assert "X-WP-Nonce" not in started.headers


async def test_what_the_page_sends_has_the_recorded_fields(page: Page) -> None:
    async with SimulatedAiEngine() as site:
        site.shown = [site.bots["chatbot-resp"]]
        await page.goto(f"{site.url}chat/")
        first = await say(page, "Hello 世界 😀 <b>x</b>")
        await say(page, "second turn")

    recorded = [
        json.loads(recording(f"10{name}.http").request_body) for name in ("b-browser-submit-1", "c-browser-submit-2")
    ]
    sent = [seen.body for seen in site.requests_to(SUBMIT)]
    assert [list(body) for body in sent] == [list(body) for body in recorded]
    assert [len(body["messages"]) for body in sent] == [1, 3]
    assert first.startswith("[gpt-4o-mini] You said: Hello 世界 😀 <b>x</b>  \n你好")
    assert {"X-WP-Nonce", "Accept", "Cookie"} <= set(site.requests_to(SUBMIT)[0].headers)


async def test_the_page_goes_on_with_the_token_that_it_is_given(page: Page) -> None:
    async with SimulatedAiEngine() as site:
        await page.goto(f"{site.url}chat/")
        await say(page, "one")
        old = site.nonce
        site.rotate_nonce(keep_previous=True)
        await say(page, "two")
        await say(page, "three")

    assert [seen.headers["X-WP-Nonce"] for seen in site.requests_to(SUBMIT)] == [old, old, site.nonce]


async def test_a_consent_box_locks_the_input_until_its_button_sets_the_cookie(page: Page) -> None:
    async with SimulatedAiEngine() as site:
        site.behaviour.consent = True
        site.shown = [site.bots["default"]]
        await page.goto(site.url)
        assert await page.locator(".mwai-chatbot input").is_disabled()
        await page.locator(".mwai-gdpr-buttons button").click()
        assert await say(page, "agreed")
        await page.reload()
        assert not await page.locator(".mwai-chatbot input").is_disabled()


async def test_chats_that_come_late_keep_their_configuration(page: Page) -> None:
    async with SimulatedAiEngine() as site:
        site.behaviour.page, site.behaviour.late_ms = "late", 10
        await page.goto(site.url)
        await page.locator(".mwai-chatbot-container").first.wait_for(state="attached")

        assert await page.evaluate(LEFT) == 6


async def test_plain_answers_and_plain_permalinks_work_alike(page: Page) -> None:
    async with SimulatedAiEngine(base_path="/blog", plain_permalinks=True) as site:
        site.behaviour.streams = False
        await page.goto(f"{site.url}chat/")

        assert "You said: hi" in await say(page, "hi")
    assert "rest_route=" in site.requests_to(SUBMIT)[0].path
