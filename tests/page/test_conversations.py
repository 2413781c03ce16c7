"""Conversations and their list, in which titles of any length and script stay in their column."""

import asyncio
import json

import pytest
from playwright.async_api import Route, expect

from tests.page.browsing import DESKTOP, PHONE, ZOOMED, OpenedPage, PageOpener, stored
from tests.site import SimulatedSite

TITLES = {
    "words": "How do I write a letter to the landlord about the heating that has not worked since last winter?",
    "unbroken": "x" * 121,
    "Chinese": "请帮我写一封信给房东，说明暖气从去年冬天开始就一直不工作，并询问什么时候可以修好，谢谢你的帮助",
    "Arabic": "اكتب رسالة إلى المالك بخصوص التدفئة التي لا تعمل منذ الشتاء الماضي واسأله متى سيتم إصلاحها",
    "emoji": "👩‍👩‍👧‍👦" * 30,
    "short": "Hello",
}
ROWS = """
rows => rows.map(row => {
    const [link, button] = [row.querySelector('a'), row.querySelector('button')];
    const [list, shown, mark] = [row.closest('.list'), link.getBoundingClientRect(), button.getBoundingClientRect()];
    return {
        name: link.textContent, tip: link.title, cut: link.scrollWidth > link.clientWidth,
        ellipsis: getComputedStyle(link).textOverflow, rtl: getComputedStyle(link).direction === 'rtl',
        apart: shown.right <= mark.left + 1, inside: mark.right <= list.getBoundingClientRect().right,
        still: list.scrollWidth === list.clientWidth, line: shown.height < 60,
    };
})
"""


async def with_titles(opened: OpenedPage) -> None:
    """Show conversations of all these titles, as if this browser had them."""
    entries = [{"id": f"conv_{name}", "title": title, "broken": {}} for name, title in TITLES.items()]
    script = "entries => localStorage.setItem('freeaichat.conversations', entries)"
    await opened.page.evaluate(script, json.dumps(entries))
    await opened.page.reload()
    await expect(opened.page.locator(".conversations li")).to_have_count(len(TITLES))


@pytest.mark.parametrize("size", [DESKTOP, ZOOMED, PHONE], ids=["desktop", "zoomed", "phone"])
async def test_a_long_title_is_truncated_before_the_edge_and_read_out_in_full(
    opener: PageOpener, size: tuple[int, int]
) -> None:
    opened = await opener.open(size=size)
    await with_titles(opened)
    drawer = opened.page.locator(".drawer")
    if await drawer.is_visible():
        await drawer.press("Enter")
        await expect(opened.page.get_by_role("link", name="New conversation")).to_be_focused()
    rows = await opened.page.locator(".conversations li").evaluate_all(ROWS)

    assert [(row["name"], row["tip"]) for row in rows] == [(title, title) for title in TITLES.values()]
    assert [row["cut"] for row in rows] == [name != "short" for name in TITLES]
    assert [row["rtl"] for row in rows] == [name == "Arabic" for name in TITLES]
    for row in rows:
        assert row["ellipsis"] == "ellipsis"
        assert all(row[check] for check in ("apart", "inside", "still", "line")), row


async def test_a_list_of_conversations_tells_which_is_deleted_and_which_is_shown(opened: OpenedPage) -> None:
    """In forced colours too, where backgrounds do not show."""
    await opened.send("One")
    await opened.page.get_by_role("link", name="New conversation").click()
    await expect(opened.page.locator(".turn")).to_have_count(0)
    await opened.send("Two")
    rows = opened.page.locator(".conversations li")
    await expect(rows.last.get_by_role("button", name="Delete")).to_have_accessible_description("One")
    await expect(rows.first.locator("[aria-current]")).to_have_text("Two")

    await opened.page.emulate_media(forced_colors="active")
    colours = "links => links.map(link => getComputedStyle(link).backgroundColor)"
    current, other = await rows.locator("a").evaluate_all(colours)
    assert current != other


async def test_a_new_conversation_is_called_by_its_first_line_which_is_cut_between_letters(opened: OpenedPage) -> None:
    link = opened.page.locator(".conversations a").first
    await opened.send("😀" * 130 + "\nmore")
    await expect(link).to_have_text("😀" * 120 + "…")

    await opened.page.get_by_role("link", name="New conversation").click()
    await expect(opened.page.locator(".turn")).to_have_count(0)
    await opened.send("one line\nanother")
    await expect(link).to_have_text("one line")


async def test_a_conversation_survives_a_reload_and_can_be_deleted(opened: OpenedPage) -> None:
    page = opened.page
    await opened.send("First one [[say:an answer]]")
    await page.get_by_role("link", name="New conversation").click()
    await expect(page.get_by_text("What would you like to know?")).to_be_visible()
    await opened.send("Second one")
    await page.reload()
    await expect(page.locator(".turn.user .text")).to_have_text("Second one")
    await page.get_by_role("link", name="First one").click()
    await expect(opened.answer).to_contain_text("an answer")
    await opened.send("[[recall]]")
    await expect(opened.answer).to_contain_text("First one")

    await page.get_by_role("listitem").filter(has_text="First one").get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("link", name="First one")).to_have_count(0)
    await expect(page.get_by_text("What would you like to know?")).to_be_visible()
    await expect(page.get_by_role("link", name="Second one")).to_be_visible()


async def test_a_message_sent_when_the_page_was_left_can_be_sent_again(opened: OpenedPage, site: SimulatedSite) -> None:
    field = opened.page.get_by_label("Write a message")
    await opened.send("First one")
    site.behaviour.delta_delay = 0.1
    await opened.send("[[tokens:500]]", state="streaming")
    await expect(opened.answer).to_contain_text("1")
    await opened.page.reload()
    await expect(field).to_have_value("[[tokens:500]]")

    site.behaviour.delta_delay = 0.0
    await opened.send("Another one")
    await opened.page.reload()
    await expect(opened.page.locator(".turn.user .text")).to_have_text(["First one", "Another one"])
    await expect(field).to_have_value("")


@pytest.mark.parametrize("then", ["twice", "left"])
async def test_answering_again_takes_back_its_own_exchange_whatever_is_clicked_meanwhile(
    opened: OpenedPage, then: str
) -> None:
    page = opened.page
    user_texts, answer_again = page.locator(".turn.user .text"), page.get_by_role("button", name="Answer again").last

    async def late(route: Route) -> None:
        await asyncio.sleep(0.3)
        await route.continue_()

    await opened.send("Another")
    await page.get_by_role("link", name="New conversation").click()
    await expect(user_texts).to_have_count(0)
    for text in ("First", "Second"):
        await opened.send(text)
    await page.route("**/v1/conversations/*/items/**", late)
    await answer_again.click()
    if then == "twice":
        async with page.expect_response("**/chat/completions"):
            await answer_again.click()
        await opened.wait_for_answer("done", 1)
        await expect(user_texts).to_have_text(["First", "Second"])
    else:
        await page.get_by_role("link", name="Another").click()
        await expect(user_texts).to_have_text(["Another"])
    assert [item["content"][0]["text"] for item in (await stored(opened))[::2]] == await user_texts.all_inner_texts()


async def test_an_exchange_of_another_tab_is_not_taken_back(opened: OpenedPage) -> None:
    page = opened.page
    await opened.send("First")
    other = OpenedPage(await page.context.new_page(), opened.proxy)
    await other.page.goto(page.url)
    await expect(other.page.locator(".turn.user .text")).to_have_text("First")
    await other.send("Second")
    await opened.answer.get_by_role("button", name="Answer again").click()
    await expect(page.get_by_role("status")).to_contain_text("went on elsewhere")
    assert [item["content"][0]["text"] for item in (await stored(opened))[::2]] == ["First", "Second"]

    await other.page.get_by_role("link", name="New conversation").click()
    await expect(other.page.locator(".turn")).to_have_count(0)
    await other.send("Of the other tab")
    await expect(page.get_by_role("link", name="Of the other tab")).to_be_visible()


async def test_a_conversation_that_failed_to_open_is_retried_on_return(opener: PageOpener) -> None:
    opened = await opener.open(key="the-master-key")
    page, user_texts = opened.page, opened.page.locator(".turn.user .text")
    await opened.sign_in()
    await opened.send("First")
    await page.get_by_role("link", name="New conversation").click()
    await expect(user_texts).to_have_count(0)
    await page.route("**/items?order=asc*", lambda route: route.fulfill(status=503, json={}), times=1)
    await page.get_by_role("link", name="First").click()
    await expect(page.get_by_role("alert")).to_contain_text("503")
    await opened.go("Keys")
    await opened.go("Chat")

    await expect(user_texts).to_have_text(["First"])
