"""What the models can, and which are left alone for now: in the choice of the chat and on the dashboard."""

import asyncio

from playwright.async_api import Locator, Route, expect

from tests.openai_server import OpenAiPeer
from tests.page.browsing import MASTER, OpenedPage, PageOpener, stored
from tests.page.test_chat import PNG
from tests.site import SimulatedSite

HELPER, VISION = "gpt-4o-mini-helper", "vision-bot-视觉"
DROPPED = """(png) => {
  const given = new DataTransfer();
  given.items.add(new File([new Uint8Array(png)], "dot.png", { type: "image/png" }));
  const dropped = new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true });
  return !document.querySelector("main").dispatchEvent(dropped);
}"""


async def test_the_choice_tells_what_a_model_can_and_when_it_is_left_alone(
    opener: PageOpener, site: SimulatedSite
) -> None:
    opened = await opener.open()
    page, about = opened.page, opened.page.locator(".abilities")
    choice = page.locator(".model select")
    await expect(about).to_have_text(f"Tools · JSON by a schema · AIPKit site {site.origin.removeprefix('http://')}")
    await choice.select_option(VISION)
    await expect(about).to_contain_text("Images")
    for width in (1280, 1121, 800, 375):  # down to tablets and phones
        await page.set_viewport_size({"width": width, "height": 800})
        assert await about.evaluate("line => line.clientWidth > 90 && line.scrollHeight <= line.clientHeight"), width
    await expect(choice.locator("option:checked")).not_to_contain_text("cooling")

    site.behaviour.stream_error = site.behaviour.quota_text
    await opened.send("hello", state="failed")
    await expect(about.locator(".badge")).to_have_text("cooling down")
    await expect(choice.locator("option:checked")).to_contain_text("cooling down")
    await page.get_by_role("button", name="中文").click()
    await expect(about).to_contain_text("冷却中")
    await expect(about).to_contain_text("图片")
    await expect(choice.locator("option:checked")).to_contain_text("冷却中")


async def test_the_dashboard_lists_all_models_with_what_they_can(opener: PageOpener, site: SimulatedSite) -> None:
    async with OpenAiPeer("tiny") as server:
        opened = await opener.open(key=MASTER, servers=f"mine={server.base_url}")
        await opened.sign_in()
        site.behaviour.stream_error = site.behaviour.quota_text
        await opened.page.get_by_label("Model", exact=True).select_option(HELPER)
        await opened.send("hello", state="failed")
        await opened.go("Dashboard")
        table = opened.page.get_by_role("region", name="Models")
        rows = table.get_by_role("row")

        def row(name: str) -> Locator:
            return rows.filter(has=opened.page.locator("code", has_text=name))

        host = site.origin.removeprefix("http://")
        await expect(row(VISION).get_by_role("cell")).to_have_text(
            ["ready", "emulated", "emulated", "–", "yes", "100,000", f"AIPKit site {host}"]
        )
        await expect(row(HELPER).get_by_role("cell").first).to_contain_text("cooling down")
        await expect(row("mine/tiny").get_by_role("cell")).to_have_text(
            ["ready", "native", "native", "–", "yes", "–", "OpenAI-compatible server mine"]
        )


async def test_what_is_asked_before_the_models_are_known_waits_for_them(opened: OpenedPage) -> None:
    page, known = opened.page, asyncio.Event()

    async def hold(route: Route) -> None:
        await known.wait()
        await route.continue_()

    await page.route("**/v1/models", hold)
    await page.reload()
    await opened.send("[[say:here]]", state="streaming")
    known.set()
    await expect(await opened.wait_for_answer("done", 0)).to_contain_text("here")


async def test_a_dropped_picture_is_attached_where_the_model_takes_any(opener: PageOpener) -> None:
    opened = await opener.open()
    page, thumbs = opened.page, opened.page.locator(".thumb img")
    for model, taken in ((HELPER, 0), (VISION, 1)):
        await page.get_by_label("Model", exact=True).select_option(model)
        assert await page.evaluate(DROPPED, list(PNG)), "the browser shows it in place of the page"
        await expect(thumbs).to_have_count(taken)
    await opened.go("Dashboard")
    assert await page.evaluate(DROPPED, list(PNG))
    await opened.go("Chat")
    await expect(thumbs).to_have_count(1)
    box = await page.get_by_role("button", name="Remove the picture").bounding_box()
    assert box is not None
    assert box["width"] == box["height"]  # a circle


async def test_that_the_model_takes_no_pictures_is_said_as_soon_as_it_is_chosen(
    opener: PageOpener, site: SimulatedSite
) -> None:
    opened = await opener.open()
    page, choice = opened.page, opened.page.get_by_label("Model", exact=True)
    refusal, thumbs = page.get_by_text("takes no pictures"), page.locator(".thumb img")
    await choice.select_option(VISION)
    assert await page.evaluate(DROPPED, list(PNG))
    await expect(thumbs).to_have_count(1)
    await expect(refusal).to_be_hidden()
    await choice.select_option(HELPER)
    await expect(refusal).to_be_visible()
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_text("不接收图片")).to_be_visible()
    await page.get_by_role("button", name="English").click()

    await page.get_by_label("Write a message").fill("[[say:seen]]")
    await page.keyboard.press("Enter")
    await choice.select_option(VISION)
    await expect(refusal).to_be_hidden()
    await expect(page.locator(".turn")).to_have_count(0)  # it was not sent, and is still there
    await page.get_by_label("Write a message").press("Enter")
    answer = await opened.wait_for_answer("done", 0)
    await choice.select_option(HELPER)
    await answer.get_by_role("button", name="Answer again").click()
    await expect(page.locator(".toast")).to_contain_text("takes no pictures")
    assert len(await stored(opened)) == 2  # the exchange was not taken back for nothing


async def test_pictures_can_be_removed_where_the_model_takes_none(opener: PageOpener) -> None:
    opened = await opener.open()
    page, choice = opened.page, opened.page.get_by_label("Model", exact=True)
    await choice.select_option(VISION)
    assert await page.evaluate(DROPPED, list(PNG))
    await choice.select_option(HELPER)
    await page.get_by_role("button", name="Remove the picture").click()

    await expect(page.get_by_text("takes no pictures")).to_be_hidden()
    await opened.send("[[say:hello]]")
