"""An agent's conversation on the page, and on the dashboard how its calls came out."""

from typing import Any, Literal

import pytest
from playwright.async_api import Locator, expect

from tests.page.browsing import DESKTOP, PHONE, OpenedPage, PageOpener
from tests.page.test_looks import WIDER, problems
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
PROPERTIES = {"path": {"type": "string"}, "line": {"type": "integer"}, "text": {"type": "string"}}
READ = {
    "type": "function",
    "function": {"name": "read_file", "parameters": {"type": "object", "properties": PROPERTIES}},
}
PATCH = {"type": "custom", "custom": {"name": "apply_patch"}}
BEYOND_JAVASCRIPT = 12345678901234567890
PATCH_TEXT = "*** Begin Patch\n+new"
ATTACK = "<img src=x onerror='window.hit = 1'> 你好\n" + "x" * 300
STEPS = [
    {
        "text": "I look at **it**.",
        "calls": [["read_file", {"path": "<b>a</b>", "line": 7}], ["read_file", {"line": BEYOND_JAVASCRIPT}]],
    },
    {"calls": [["apply_patch", {"input": PATCH_TEXT}]], "form": "trailing_comma"},
    {"text": "All is done."},
]


async def agent(opened: OpenedPage, site: SimulatedSite) -> str:
    """A conversation in which a client of the API ran its tools; its id."""
    site.behaviour.scripts = {"it": STEPS}
    http, url = opened.proxy.http, opened.proxy.url
    async with http.post(f"{url}/v1/conversations", json={}) as created:
        name: str = (await created.json())["id"]
    messages: list[Any] = [{"role": "user", "content": "[[script:it]] Go."}]
    for results in ([ATTACK, "nothing there"], ["patched"], []):
        body = {"model": MODEL, "conversation_id": name, "messages": messages, "tools": [READ, PATCH]}
        async with http.post(f"{url}/v1/chat/completions", json=body) as response:
            assert response.status == 200, await response.text()
            (choice,) = (await response.json())["choices"]
        calls = choice["message"].get("tool_calls", ())
        messages = [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(calls, results, strict=True)
        ]
    return name


def part(call: Locator, name: str) -> Locator:
    """The text of one part of a call that is shown."""
    return call.locator(".code").filter(has=call.page.get_by_text(name, exact=True)).locator("pre")


async def test_calls_are_shown_with_their_arguments_and_results(opened: OpenedPage, site: SimulatedSite) -> None:
    page = opened.page
    await page.goto(f"{opened.proxy.url}/#/chat/{await agent(opened, site)}")
    calls = page.locator(".call")
    await expect(calls).to_have_count(3)
    read, other, patch = (calls.nth(number) for number in range(3))

    assert await read.locator("summary code").inner_text() == "read_file"
    assert await part(read, "Arguments").inner_text() == '{\n  "path": "<b>a</b>",\n  "line": 7\n}'
    assert await part(read, "Result").inner_text() == ATTACK
    assert await part(other, "Arguments").inner_text() == f'{{"line":{BEYOND_JAVASCRIPT}}}'  # no digit is lost
    assert await part(other, "Result").inner_text() == "nothing there"
    assert await patch.locator("summary code").inner_text() == "apply_patch"
    assert await part(patch, "Input").inner_text() == PATCH_TEXT
    assert await part(patch, "Result").inner_text() == "patched"
    assert await page.evaluate("window.hit") is None
    await expect(page.locator(".turn.assistant strong")).to_have_text("it")
    await expect(opened.answer).to_contain_text("All is done.")
    await read.get_by_role("button", name="Copy the code").first.click()
    assert await page.evaluate("navigator.clipboard.readText()") == '{\n  "path": "<b>a</b>",\n  "line": 7\n}'


async def test_an_agents_conversation_goes_on_by_hand_and_only_what_a_person_asked_is_answered_again(
    opened: OpenedPage, site: SimulatedSite
) -> None:
    page = opened.page
    await page.goto(f"{opened.proxy.url}/#/chat/{await agent(opened, site)}")
    await expect(opened.answer).to_contain_text("All is done.")
    await expect(page.get_by_role("button", name="Answer again")).to_have_count(0)
    await opened.send("[[say:and now?]]")

    await expect(opened.answer.get_by_role("button", name="Answer again")).to_be_visible()
    await page.reload()
    await expect(opened.answer).to_contain_text("and now?")
    await expect(page.locator(".call")).to_have_count(3)


async def test_a_call_without_a_result_and_a_result_without_a_call_are_shown_too(opened: OpenedPage) -> None:
    http, url = opened.proxy.http, opened.proxy.url
    items = [
        {"type": "function_call_output", "call_id": "of another conversation", "output": "left over"},
        {"type": "custom_tool_call_output", "call_id": "of yet another", "output": "more of it"},
        {"role": "user", "content": "Go."},
        {"type": "function_call", "call_id": "c", "name": "wait", "arguments": "not JSON"},
        {"type": "tool_search_call", "call_id": "s", "execution": "client", "arguments": {"query": "mail"}},
        {"type": "tool_search_output", "call_id": "s", "execution": "client", "tools": []},
    ]
    async with http.post(f"{url}/v1/conversations", json={"items": items}) as response:
        name = (await response.json())["id"]
    await opened.page.goto(f"{url}/#/chat/{name}")
    await expect(opened.page.locator(".call")).to_have_count(4)
    result, other, call, search = (opened.page.locator(".call").nth(number) for number in range(4))

    assert await result.locator("pre").all_inner_texts() == ["left over"]
    assert await other.locator("pre").all_inner_texts() == ["more of it"]
    assert await call.locator("pre").all_inner_texts() == ["not JSON"]
    assert await call.locator("summary code").inner_text() == "wait"
    assert await search.locator("summary code").inner_text() == "tool_search"
    assert await search.locator("pre").all_inner_texts() == ['{\n  "query": "mail"\n}', "[]"]


async def test_the_dashboard_tells_how_calls_came_out_by_model(opened: OpenedPage, site: SimulatedSite) -> None:
    page = opened.page
    await opened.send("hello")
    await opened.usage_of(1)
    await opened.go("Dashboard")
    await expect(page.get_by_role("region", name="Totals")).to_be_visible()
    await expect(page.get_by_text("Tool calls and JSON by model")).to_have_count(0)
    await agent(opened, site)
    await opened.usage_of(4)
    await page.reload()

    row = page.get_by_role("region", name="Tool calls and JSON by model").get_by_role("row").filter(has_text=MODEL)
    await expect(row.get_by_role("cell")).to_have_text(["2", "1 (50 %)", "1 (50 %)", "0 (0 %)", "0 (0 %)"])


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)])
async def test_the_tools_view_is_accessible(
    opener: PageOpener, site: SimulatedSite, scheme: Literal["light", "dark"], size: tuple[int, int]
) -> None:
    opened = await opener.open(scheme=scheme, size=size, locale="zh-CN" if size == PHONE else "en-US")
    page = opened.page
    await page.goto(f"{opened.proxy.url}/#/chat/{await agent(opened, site)}")
    await expect(page.locator(".call")).to_have_count(3)
    found = [await problems(page), await page.evaluate(WIDER)]
    await opened.usage_of(3)
    await page.evaluate("location.hash = '#/dashboard'")
    await expect(page.locator(".outcomes table")).to_be_visible()
    found += [await problems(page), await page.evaluate(WIDER)]

    assert found == [[]] * 4
