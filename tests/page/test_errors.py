"""Errors in the language of the page, followed by the proxy's own words and its code."""

import pytest
from playwright.async_api import Route, expect

from tests.page.browsing import BREAKS_OFF, MASTER, PageOpener
from tests.page.test_admin import REASON, failed_visit
from tests.proxy.admin_client import call
from tests.site import SimulatedSite

MEANINGS = {"en-US": "The quota is used up.", "zh-CN": "配额已用完。"}
OTHER = {"en-US": "中文", "zh-CN": "English"}


@pytest.mark.parametrize("locale", MEANINGS)
async def test_what_went_wrong_is_reported_in_the_pages_language_and_in_the_proxys_own_words(
    opener: PageOpener, site: SimulatedSite, locale: str
) -> None:
    opened = await opener.open(locale=locale)
    site.behaviour.stream_error = site.behaviour.quota_text
    await opened.page.locator("#message").fill("hello")
    await opened.page.keyboard.press("Enter")

    note = opened.page.get_by_role("alert")
    await expect(note).to_contain_text(MEANINGS[locale])
    await expect(note.locator(".said")).to_contain_text("The site's guest quota is used up: ")
    await expect(note.locator("code")).to_have_text("429 · insufficient_quota")
    await opened.page.get_by_role("button", name=OTHER[locale]).click()
    (other,) = set(MEANINGS) - {locale}
    await expect(note).to_contain_text(MEANINGS[other])
    await expect(note).not_to_contain_text(MEANINGS[locale])


async def test_why_an_answer_broke_off_is_still_told_after_a_reload_in_either_language(opener: PageOpener) -> None:
    opened = await opener.open()
    page = opened.page
    await opened.send(BREAKS_OFF, state="broken")
    await page.reload()
    await expect(opened.answer).to_contain_text("The site failed to answer.")
    await page.get_by_role("button", name="中文").click()

    await expect(opened.answer).to_contain_text("站点未能回答。")
    await expect(opened.answer.locator("code")).to_have_text("upstream_error")
    await expect(opened.answer).not_to_contain_text("无法保存")
    await page.route("**/items", lambda route: route.fulfill(status=503, json={}))
    await page.locator("#message").fill(BREAKS_OFF)
    await page.keyboard.press("Enter")
    await expect(await opened.wait_for_answer("broken", 1)).to_contain_text("已收到的内容无法保存")


async def test_a_wrong_key_is_refused_in_either_language(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER, locale="zh-CN")
    await opened.page.locator("#key").fill("wrong")
    await opened.page.keyboard.press("Enter")
    note = opened.page.get_by_role("alert")
    await expect(note).to_contain_text("登录失败。")
    await expect(note).to_contain_text("密钥不正确")
    await opened.page.get_by_role("button", name="English").click()

    await expect(note).to_contain_text("The key is wrong")
    await expect(note).to_contain_text("Incorrect API key")


async def test_a_right_key_in_a_browser_that_keeps_no_cookies_is_told_so(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    page = opened.page

    async def answer(route: Route) -> None:
        response = await route.fetch()
        await page.context.clear_cookies()  # whatever it set
        await route.fulfill(status=response.status, body=await response.body())

    await page.route("**/admin/session", answer)
    await opened.sign_in()

    await expect(page.get_by_role("alert")).to_contain_text("The key is right, but the browser kept no cookie")
    await expect(page.get_by_label("Key", exact=True)).to_be_focused()


async def test_a_key_whose_tokens_are_used_up_is_not_told_to_wait_a_moment(opener: PageOpener) -> None:
    opened = await opener.open(key=MASTER)
    created = await call(opened.proxy, "POST", "/admin/keys", {"name": "small", "tpd": 1}, key=MASTER)
    await opened.sign_in(created.body["key"])
    await opened.send("hello")
    answer = await opened.send("again", state="failed")

    await expect(answer).to_contain_text("The key's tokens for today are used up.")
    await expect(answer).to_contain_text("429 · tokens")


async def test_why_a_site_is_not_ready_is_reported_in_the_pages_language(opener: PageOpener) -> None:
    opened = await opener.open(locale="zh-CN", captured=False, path="/#/dashboard")
    note = opened.page.get_by_role("article").locator(".note.error")
    await expect(note).to_have_text("还没有获取凭据：访问站点后会得到。")
    await opened.page.get_by_role("button", name="English").click()

    await expect(note).to_have_text("No credentials were captured yet: a visit brings them.")


async def test_why_a_server_is_not_ready_is_reported_in_the_pages_language_and_in_the_proxys_own_words(
    opener: PageOpener, free_port: int
) -> None:
    opened = await opener.open(locale="zh-CN", servers=f"gone=http://127.0.0.1:{free_port}/v1", path="/#/dashboard")
    note = opened.page.get_by_role("article").nth(1).locator(".note.error")
    await expect(note).to_contain_text("无法连接服务器")
    await expect(note.locator(".said")).to_contain_text("Connection refused")
    await opened.page.get_by_role("button", name="English").click()

    await expect(note).to_contain_text("The server cannot be reached")


async def test_why_a_visit_failed_is_reported_in_the_pages_language_and_in_the_harvesters_own_words(
    opener: PageOpener, site: SimulatedSite
) -> None:
    opened = await opener.open(locale="zh-CN")
    await failed_visit(opened.proxy, site)
    await opened.page.goto(f"{opened.proxy.url}/#/dashboard")
    note = opened.page.get_by_role("article").locator(".reason")
    await expect(note).to_contain_text("没有找到对话框")
    await expect(note.locator(".said")).to_have_text(REASON)
    await opened.page.get_by_role("button", name="English").click()

    await expect(note).to_contain_text("No chat was found on the page")
    await expect(note.locator(".said")).to_have_text(REASON)


async def test_what_kept_the_page_from_opening_is_reported_and_tried_again(opener: PageOpener) -> None:
    opened = await opener.open()
    error = {"message": "It is away.", "code": "store_unavailable"}
    answer = {"error": error}
    await opened.page.route("**/admin/session", lambda route: route.fulfill(status=503, json=answer), times=1)
    await opened.page.reload()
    await expect(opened.page.get_by_role("alert")).to_contain_text("The store cannot be used right now.")

    await expect(opened.page.get_by_label("Write a message")).to_be_visible()
