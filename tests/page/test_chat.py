"""The chat: answers as they come, what ends them, and what is kept."""

import asyncio
import sys
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.page.browsing import BREAKS_OFF, OpenedPage, PageOpener, stored
from tests.site import SimulatedSite

MARKDOWN = """## Plan

**bold** and `code`

| a | b |
|---|--:|
| 1 | 2 |

```python
def f(x):
    return x + 1
```

- one"""
ALIEN = "script, img, svg:not(.bar svg), iframe, form, meta, style, [style], [onerror], [onload]"
ATTACKS = (
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'><style>body { display: none }</style></svg>",
    "[link](javascript:window.hit=1) ![tracker](https://tracker.example/pixel.png)",
    "<a href='data:text/html,x' style='position:fixed'>x</a><iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    '```"><img src=x onerror="window.hit = 1">\n<b>code</b>\n```',
    "<form action='https://evil.example'><button>go</button></form><meta http-equiv=refresh content='0;url=/x'>",
)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cfc0f01f0005050102cf9d1a460000000049454e44ae426082"
)


async def test_an_answer_is_shown_with_its_markdown_and_its_code_in_colour(opened: OpenedPage) -> None:
    answer = await opened.send(f"[[say:{MARKDOWN}]]")

    await expect(answer.get_by_role("heading", name="Plan")).to_be_visible()
    await expect(answer.locator("strong").first).to_have_text("bold")
    await expect(answer.locator("td").nth(1)).to_have_attribute("align", "right")
    await expect(answer.locator("pre .hljs-keyword").first).to_have_text("def")
    await answer.get_by_role("button", name="Copy the code").click()
    assert await opened.page.evaluate("navigator.clipboard.readText()") == "def f(x):\n    return x + 1"
    await answer.get_by_role("button", name="Copy the answer").click()
    assert await opened.page.evaluate("navigator.clipboard.readText()") == MARKDOWN


async def test_an_answer_grows_while_it_streams_and_is_announced_to_screen_readers_when_complete(
    opened: OpenedPage, site: SimulatedSite
) -> None:
    site.behaviour.delta_delay = 0.1
    await opened.send("[[tokens:12]]", state="streaming")

    await expect(opened.answer).to_contain_text("1")
    partial = await opened.answer.locator(".text").inner_text()
    assert await opened.answer.get_attribute("aria-busy") == "true"
    await expect(opened.answer).to_have_attribute("aria-busy", "false")
    assert len(await opened.answer.locator(".text").inner_text()) > len(partial)


async def test_nothing_in_an_answer_is_ever_run_or_fetched(opened: OpenedPage) -> None:
    for attack in ATTACKS:
        await opened.send(f"[[say:{attack}]]")

    assert await opened.page.evaluate("window.hit") is None
    answers = opened.page.locator(".turn.assistant .text")
    assert await answers.locator(ALIEN).count() == 0
    links = await answers.locator("a").evaluate_all("links => links.map(link => [link.href, link.target, link.rel])")
    assert ["https://tracker.example/pixel.png", "_blank", "noopener noreferrer nofollow"] in links
    assert {link[0].partition(":")[0] for link in links} <= {"https", ""}
    await expect(answers.first).to_have_text(ATTACKS[0])
    assert opened.page.url.startswith(opened.proxy.url + "/#/chat/")


async def test_what_is_nested_too_deep_is_shown_as_it_is(opened: OpenedPage) -> None:
    text = "- " * 3000 + "x"  # as of a model that repeats itself
    script = "async text => (await import('/assets/markdown.js')).rendered(text).textContent"

    assert (await opened.page.evaluate(script, text)).strip() == text


async def test_what_a_person_writes_is_shown_as_it_is(opened: OpenedPage) -> None:
    text = "<b>not bold</b>\n  # no heading"
    await opened.send(text)

    assert await opened.page.locator(".turn.user .text").inner_text() == text


async def test_escape_stops_an_answer_and_what_came_is_kept(opened: OpenedPage, site: SimulatedSite) -> None:
    site.behaviour.delta_delay = 0.1
    await opened.send("[[tokens:500]]", state="streaming")
    await expect(opened.answer).to_contain_text("1")
    await opened.page.get_by_label("Write a message").dispatch_event("keydown", {"key": "Escape", "isComposing": True})
    await expect(opened.answer).to_contain_text("4")  # that was an input method's
    await opened.page.keyboard.press("Escape")

    await opened.wait_for_answer("broken", 0)
    await expect(opened.answer).to_contain_text("Stopped.")
    shown = await opened.answer.locator(".text").inner_text()
    items = await stored(opened)
    assert [item["role"] for item in items] == ["user", "assistant"]
    assert items[1]["content"][0]["text"].split() == shown.split()
    async with asyncio.timeout(5):
        while site.open_streams:
            await asyncio.sleep(0.02)
    await opened.page.reload()
    await expect(opened.answer).to_contain_text("Stopped.")


async def test_an_answer_that_broke_off_is_marked_so_and_says_why_also_after_a_reload(opened: OpenedPage) -> None:
    answer = await opened.send(BREAKS_OFF, state="broken")

    await expect(answer.get_by_role("alert")).to_contain_text("The answer broke off.")
    await expect(answer.get_by_role("alert")).to_contain_text("upstream_error")
    shown = await answer.locator(".text").inner_text()
    assert shown
    await opened.page.reload()
    await opened.wait_for_answer("broken", 0)
    await expect(opened.answer.locator(".text")).to_have_text(shown)


async def test_a_refusal_is_shown_as_what_it_is_and_can_be_tried_again(opened: OpenedPage, site: SimulatedSite) -> None:
    site.behaviour.stream_error = site.behaviour.quota_text
    answer = await opened.send("hello", state="failed")

    await expect(answer.get_by_role("alert")).to_contain_text("429")
    assert await stored(opened) == []
    site.behaviour.stream_error = ""
    await answer.get_by_role("button", name="Answer again").click()
    await opened.wait_for_answer("done", 0)
    assert [item["role"] for item in await stored(opened)] == ["user", "assistant"]


async def test_answering_again_takes_the_place_of_the_last_answer(opened: OpenedPage, site: SimulatedSite) -> None:
    await opened.send("My name is Ada. [[say:Hello Ada]]")
    await opened.send("[[recall]]")
    calls = len(site.model_calls)
    await opened.answer.get_by_role("button", name="Answer again").click()
    async with asyncio.timeout(5):
        while len(site.model_calls) == calls:
            await asyncio.sleep(0.02)
    await opened.wait_for_answer("done", 1)

    assert await opened.page.locator(".turn").count() == 4
    items = await stored(opened)
    assert [item["role"] for item in items] == ["user", "assistant"] * 2
    assert items[3]["content"][0]["text"].count("My name is Ada") == 1


PASTED = """(png) => {
  const given = new DataTransfer();
  given.items.add(new File([new Uint8Array(png), new Uint8Array(4e6)], "dot.png", { type: "image/png" }));
  const field = document.querySelector("#message");
  field.value = "And this?";
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: given, cancelable: true }));
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
}"""


async def test_pictures_go_along_with_a_message(opened: OpenedPage) -> None:
    page = opened.page
    models = (await (await opened.proxy.http.get(f"{opened.proxy.url}/v1/models")).json())["data"]
    model = next(model["id"] for model in models if model["images"] and not model["alias_of"])
    await page.get_by_label("Model").select_option(model)
    await page.locator("input[type=file]").set_input_files({"name": "dot.png", "mimeType": "image/png", "buffer": PNG})
    await expect(page.locator(".thumb img")).to_be_visible()
    await opened.send("What is this?")

    await expect(opened.answer).to_contain_text("images=1")
    await expect(page.locator(".turn.user img")).to_be_visible()
    await page.evaluate(PASTED, list(PNG))  # with Enter right after it
    await expect(await opened.wait_for_answer("done", 1)).to_contain_text("images=1")
    await page.reload()
    await expect(page.get_by_text("A picture was sent here")).to_have_count(2)


async def test_web_search_is_asked_for_where_the_model_has_it(opened: OpenedPage) -> None:
    page = opened.page
    models = (await (await opened.proxy.http.get(f"{opened.proxy.url}/v1/models")).json())["data"]
    for searches in (False, True):
        model = next(each["id"] for each in models if each["web_search"] == searches and not each["alias_of"])
        await page.get_by_label("Model").select_option(model)
        await expect(page.get_by_role("button", name="Web search")).to_be_enabled(enabled=searches)
    await page.get_by_role("button", name="Web search").click()
    await opened.send("news?")

    await expect(opened.answer).to_contain_text("websearch=1")
    links = page.locator(".sources a")
    told = await links.all_inner_texts()
    await page.reload()
    await expect(links).to_have_text(told)
    assert told


async def test_a_request_can_be_copied_and_run_elsewhere(opened: OpenedPage, tmp_path: Path) -> None:
    page = opened.page
    await page.get_by_label("Write a message").fill('it\'s "quoted" $HOME [[say:came through]]')
    await page.get_by_role("button", name="Copy as curl").click()
    command = await page.evaluate("navigator.clipboard.readText()")
    process = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=-1, stderr=-1, cwd=tmp_path)
    out, _ = await process.communicate()
    assert '"content":"came' in out.decode()

    await page.get_by_role("button", name="Copy as Python").click()
    program = await page.evaluate("navigator.clipboard.readText()")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=-1, cwd=tmp_path)
    out, _ = await process.communicate()
    assert out.decode().strip() == "came through"


async def test_an_input_methods_enter_sends_nothing_and_shift_enter_starts_a_line(opened: OpenedPage) -> None:
    field = opened.page.get_by_label("Write a message")
    await field.fill("one")
    for composing in ({"isComposing": True}, {"keyCode": 229}):  # the latter is Safari's
        await field.dispatch_event("keydown", {"key": "Enter", **composing})
    await field.press("Shift+Enter")
    await field.press_sequentially("two")
    await opened.page.evaluate("matchMedia = (query) => ({ matches: query === '(pointer: coarse)' })")  # a phone
    await field.press("Enter")

    assert await field.input_value() == "one\ntwo\n"
    assert await opened.page.locator(".turn").count() == 0


async def test_what_is_stopped_before_anything_came_is_not_kept(opened: OpenedPage, site: SimulatedSite) -> None:
    site.behaviour.first_delta_delay = 30.0
    await opened.send("hello", state="streaming")
    await expect(opened.answer).to_contain_text("Waiting for the answer")
    await opened.page.get_by_role("button", name="Stop").click()

    await expect(opened.answer).to_contain_text("Stopped before anything came.")
    assert await stored(opened) == []
    site.behaviour.first_delta_delay = 0.0
    await opened.answer.get_by_role("button", name="Answer again").click()
    await opened.wait_for_answer("done", 0)
    assert len(await stored(opened)) == 2


async def test_an_answer_goes_on_while_another_screen_is_looked_at(opened: OpenedPage, site: SimulatedSite) -> None:
    site.behaviour.delta_delay = 0.1
    await opened.send("[[tokens:10]]", state="streaming")
    await opened.go("Dashboard")
    await expect(opened.page.get_by_role("heading", name="Dashboard")).to_be_visible()
    await opened.go("Chat")

    await opened.wait_for_answer("done", 0)


async def test_a_conversation_that_is_not_stored_any_more_is_said_to_be_so(opener: PageOpener) -> None:
    opened = await opener.open(path="/#/chat/conv_of_nobody")

    await expect(opened.page.get_by_role("alert")).to_contain_text("conversation_not_found")
    await opened.page.get_by_role("button", name="中文").click()
    await expect(opened.page.get_by_role("alert")).to_contain_text("找不到这个对话")
    await opened.page.get_by_role("button", name="English").click()
    await opened.send("What is written next begins another.")
    await expect(opened.page.locator(".conversations a")).to_have_text(["What is written next begins another."])


@pytest.mark.parametrize("status", [200, 404])
async def test_a_conversation_that_comes_late_disturbs_nothing(opened: OpenedPage, status: int) -> None:
    page, user_texts = opened.page, opened.page.locator(".turn.user .text")
    first, second, fresh = (page.get_by_role("link", name=name) for name in ("First", "Second", "New conversation"))
    released = asyncio.Event()

    async def late(route: Route) -> None:
        found = await route.fetch()
        await released.wait()
        await route.fulfill(response=found, status=status)

    await opened.send("First")
    await fresh.click()
    await expect(user_texts).to_have_count(0)
    await opened.send("Second")
    await page.route("**/items?order=asc*", late, times=1)
    await first.click()
    await expect(page.get_by_text("Loading")).to_be_visible()
    if status == 200:
        await opened.send("sent meanwhile")
    else:
        await second.click()
        await expect(user_texts).to_have_text(["Second"])
    async with page.expect_response(lambda response: "order=asc" in response.url):
        released.set()

    await expect(user_texts).to_have_text(["First", "sent meanwhile"] if status == 200 else ["Second"])
    await expect(page.get_by_role("alert")).to_have_count(0)
    await expect(second).to_be_visible()
