"""The page's script in a real browser: what it keeps, and what it sends (PROTOCOL 5 and 6)."""

import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.site import DEFAULT_BOTS, ODD_COOKIES, SimulatedSite
from tests.site_checks.recordings import SAMPLES

UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
STORAGE = "() => ({localStorage: {...localStorage}, sessionStorage: {...sessionStorage}})"
FINISHED = ".aipkit_chat_message-bot[data-finished]"

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the tests share a browser, and so its event loop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    browser_path = os.environ.get("FREEAICHAT_BROWSER") or shutil.which("chromium-headless-shell")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path)
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in a window that shares nothing with another test's."""
    page = await browser.new_page()
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        await page.close()  # and the window


@asynccontextmanager
async def home(page: Page, kind: str = "inline", **switches: Any) -> AsyncIterator[SimulatedSite]:
    """A site whose page at / is open in the browser."""
    async with SimulatedSite(page=kind) as site:
        site.behaviour.update(switches)
        await page.goto(site.url)
        yield site


async def type_and_wait(page: Page, text: str, *, scope: str = "body") -> str:
    """Type a message as a person does; returns the finished answer."""
    earlier = await page.locator(FINISHED).count()
    await page.locator(f"{scope} textarea").first.fill(text)
    await page.locator(f"{scope} textarea").first.press("Enter")
    answer = page.locator(FINISHED).nth(earlier)
    await answer.wait_for(timeout=5000)
    return await answer.inner_text()


async def kept(page: Page) -> dict[str, dict[str, str]]:
    """What the page's script keeps, with ids replaced by their form."""
    storage: dict[str, dict[str, str]] = await page.evaluate(STORAGE)
    return {kind: {name: shape(value) for name, value in values.items()} for kind, values in storage.items()}


def shape(value: str) -> str:
    """`uuid` for a UUID of version 4, `resp` for a response id."""
    if UUID_V4.fullmatch(value):
        return "uuid"
    return "resp" if re.fullmatch("resp_[0-9a-f]{32}", value) else value


def recorded_state(name: str) -> dict[str, dict[str, str]]:
    """A recorded state of the browser's storage in the same form."""
    state = json.loads((SAMPLES / "browser-storage-states.json").read_text(encoding="utf-8"))[name]
    return {
        kind: {key: shape(value) for key, value in state[kind].items()} for kind in ("localStorage", "sessionStorage")
    }


async def test_the_script_keeps_what_the_recorded_one_kept(page: Page) -> None:
    async with SimulatedSite() as site:
        await page.goto(f"{site.url}chat/")
        loaded = await kept(page)
        await type_and_wait(page, "hi")
        sent = await kept(page)
        guest = await page.evaluate("localStorage.aipkit_guest_uuid")
        await page.reload()
        reloaded = await kept(page)
        cookies = await page.context.cookies()

        assert loaded == recorded_state("chat_loaded")
        assert sent == recorded_state("chat_sent1")
        assert reloaded == recorded_state("chat_reloaded")
        assert await page.evaluate("localStorage.aipkit_guest_uuid") == guest
        assert cookies == []


async def test_a_bot_with_state_has_its_response_id_kept_and_sent_back(page: Page) -> None:
    async with SimulatedSite(bots=[bot for bot in DEFAULT_BOTS if bot.id == 6]) as site:
        await page.goto(site.url)
        await type_and_wait(page, "one")
        state = await kept(page)
        first_id = await page.evaluate("sessionStorage.aipkit_current_openai_response_id")
        answer = await type_and_wait(page, "two")

    assert state == recorded_state("post_sent1")
    assert site.requests[-1].fields["previous_openai_response_id"] == first_id
    assert "prior=2" in answer


async def test_both_steps_are_sent_in_the_browsers_own_form(page: Page) -> None:
    async with home(page) as site:
        await type_and_wait(page, "hi")

    stored, streamed = site.requests[-2:]
    assert stored.method == "POST"
    assert stored.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert set(stored.fields) == {"action", "message", "_ajax_nonce", "bot_id", "user_client_message_id"}
    assert streamed.method == "GET"
    assert list(streamed.fields) == [
        "action", "cache_key", "bot_id", "session_id", "conversation_uuid", "post_id", "_ts", "_ajax_nonce",
    ]  # fmt: skip


async def test_a_stale_nonce_in_the_page_is_renewed_by_the_script(page: Page) -> None:
    async with home(page, stale_page_nonce=True) as site:
        await type_and_wait(page, "hi")

    assert site.request_counts["aipkit_cache_sse_message"] == 2
    assert site.request_counts["aipkit_get_frontend_chat_nonce"] == 1


async def test_a_cookie_bound_nonce_works_in_the_browser_that_has_the_cookie(page: Page) -> None:
    async with home(page, cookie_bound_nonce=True, page_cookies=list(ODD_COOKIES)) as site:
        answer = await type_and_wait(page, "hi")

    assert answer.startswith("[gpt-4o-mini] You said: hi")
    assert site.request_counts["aipkit_get_frontend_chat_nonce"] == 0


async def test_a_popup_opens_and_answers(page: Page) -> None:
    async with home(page, "popup"):
        await page.click(".aipkit_popup_trigger")
        assert "You said: hi" in await type_and_wait(page, "hi")


async def test_late_chats_come_after_a_while(page: Page) -> None:
    async with home(page, "late", late_ms=300):
        assert await page.locator("[data-config]").count() == 0
        await page.locator("[data-config]").first.wait_for(state="attached", timeout=5000)
        assert "You said: hi" in await type_and_wait(page, "hi")


async def test_a_bare_form_sends_the_requests_itself(page: Page) -> None:
    async with home(page, "bare_form", makes_guest_id=False) as site:
        assert await page.locator("[data-config]").count() == 0
        assert "You said: hi" in await type_and_wait(page, "hi")
        assert await page.evaluate("Object.keys(localStorage)") == []

    assert UUID_V4.fullmatch(site.requests[-1].fields["session_id"])


async def test_odd_cookies_arrive_and_come_back_verbatim(page: Page) -> None:
    async with home(page, page_cookies=list(ODD_COOKIES)) as site:
        await page.reload()

    pairs = {cookie.partition("; Path")[0] for cookie in ODD_COOKIES}
    assert set(site.requests[-1].headers["Cookie"].split("; ")) == pairs


async def test_extra_resources_are_fetched_and_counted(page: Page) -> None:
    async with SimulatedSite() as site:
        site.behaviour.extra_resources = True
        await page.goto(site.url, wait_until="load")

    assert {
        "/wp-content/photo.png", "/wp-content/style.css", "/wp-content/font.woff2", "/wp-content/clip.mp4",
        "third-party/tracker.js",
    } <= set(site.resource_hits)  # fmt: skip


async def test_dialogs_come_while_the_page_loads(page: Page) -> None:
    seen: list[str] = []

    async def accept(dialog: Any) -> None:
        seen.append(dialog.message)
        await dialog.accept()

    page.on("dialog", accept)
    async with home(page, "dialogs"):
        assert seen == ["Welcome!"]
        assert await page.locator("[data-config]").count() > 5
