"""What a server's model thinks: folded above its answer."""

import pytest
from playwright.async_api import expect

from tests.openai_server import Answer, OpenAiPeer
from tests.page.browsing import OpenedPage, PageOpener
from tests.page.test_looks import WIDER, problems

THOUGHTS = "First <b>this</b>,\nthen **that**: " + "x" * 300


async def open_with(opener: PageOpener, server: OpenAiPeer) -> OpenedPage:
    """The page, with the server's model chosen."""
    opened = await opener.open(servers=f"mine={server.base_url}")
    await opened.page.get_by_label("Model", exact=True).select_option("mine/tiny")
    return opened


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thoughts_are_folded_above_the_answer_as_soon_as_they_come(opener: PageOpener, field: str) -> None:
    async with OpenAiPeer("tiny") as server:
        server.answers = [Answer([], thoughts=THOUGHTS, reasoning_field=field, holds=True), Answer(["It is so."])]
        opened = await open_with(opener, server)
        answer = await opened.send("hello", state="streaming")
        thinking = answer.locator("details")
        await expect(thinking).to_be_visible()
        await expect(answer.get_by_text("Waiting for the answer")).to_be_visible()
        await expect(thinking.locator("p")).to_be_hidden()
        await thinking.locator("summary").click()
        assert await thinking.locator("p").inner_text() == THOUGHTS
        await opened.page.get_by_role("button", name="中文").click()
        await expect(thinking.locator("summary")).to_have_text("思考过程")
        server.resume.set()
        await opened.wait_for_answer("done", 0)
        await expect(thinking.locator("p")).to_be_visible()  # who opened it goes on reading
        assert [await problems(opened.page), await opened.page.evaluate(WIDER)] == [[], []]


async def test_thoughts_stand_above_the_text_and_are_not_copied_with_it(opener: PageOpener) -> None:
    async with OpenAiPeer("tiny") as server:
        server.answers = [Answer(["It is so."], thoughts=THOUGHTS), Answer(["No thoughts."])]
        opened = await open_with(opener, server)
        answer = await opened.send("hello")
        await expect(answer.locator(".text")).to_have_text("It is so.")
        tops = [await answer.locator(part).bounding_box() for part in ("details", ".text")]
        assert tops[0]
        assert tops[1]
        assert tops[0]["y"] + tops[0]["height"] <= tops[1]["y"]
        await answer.get_by_role("button", name="Copy the answer").click()
        assert await opened.page.evaluate("navigator.clipboard.readText()") == "It is so."
        plain = await opened.send("and now?")
        await expect(plain.locator(".text")).to_have_text("No thoughts.")
        await expect(plain.locator("details")).to_be_hidden()
