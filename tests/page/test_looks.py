"""Colours, languages, small screens, and whether everybody can use the page."""

from typing import Any, Literal

import pytest
from playwright.async_api import Page, expect

from tests.needs import PAGE_DIRECTORY
from tests.page.browsing import BREAKS_OFF, DESKTOP, MASTER, NARROW, PHONE, ZOOMED, OpenedPage, PageOpener
from tests.page.test_admin import failed_visit
from tests.page.test_chat import MARKDOWN
from tests.site import SimulatedSite

AXE = PAGE_DIRECTORY / "node_modules" / "axe-core" / "axe.min.js"
WRONG = """
async () => (await axe.run()).violations
    .map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)])
"""
WIDER = """
() => [...document.querySelectorAll('*')].filter((each) => {
    if (each.closest('.scroller, pre, .unseen, .uplot')) return false;
    const [shown, card] = [each.getBoundingClientRect(), each.closest('.card')?.getBoundingClientRect()];
    return shown.right > innerWidth + 1 || shown.left < -1 || (card && shown.right > card.right + 1);
}).map((each) => each.outerHTML.slice(0, 120))
"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor"
SMALL = (PHONE, ZOOMED, NARROW)
LONG_WORD = "x" * 300
LONG = f"""[[say:{MARKDOWN}

{LONG_WORD}

`{LONG_WORD}`

```js
const x = '{LONG_WORD}'
```

| {LONG_WORD} | b |
|-|-|
| 1 | 2 |

| another | table |
|-|-|
| 1 | 2 |]]"""
RIGHT_TO_LEFT = """[[say:- بند أول
- an item in English
- بند ثان

> اقتباس

| اسم | قيمة | c |
|-|-|:-:|
| واحد | 1 | 2 |

```python
# تعليق
```

- one
- two]]"""
PLACES = """
(answer) => {
    const all = (some) => [...answer.querySelectorAll(some)];
    const textOf = (item) => {
        const range = document.createRange();
        range.selectNodeContents(item);
        return range.getBoundingClientRect();
    };
    const style = (some) => getComputedStyle(answer.querySelector(some));
    const [[right, left], items, cells] = [all("ul"), all("li"), all("td")];
    const [whole, edge] = [right.getBoundingClientRect(), left.getBoundingClientRect().left];
    return {
        texts: items.slice(0, 3).map((item) => whole.right - textOf(item).right),
        others: items.slice(3).map((item) => textOf(item).left - edge),
        quote: [style("blockquote").borderRightWidth, style("blockquote").borderLeftWidth],
        columns: cells[0].getBoundingClientRect().left > cells[1].getBoundingClientRect().left,
        centred: getComputedStyle(cells[2]).textAlign.endsWith("center"),
        code: style("pre").direction,
    };
}
"""


async def problems(page: Page) -> list[Any]:
    """Accessibility violations."""
    await page.evaluate(AXE.read_text("utf-8"))
    found: list[Any] = await page.evaluate(WRONG)
    return found


async def fill(opened: OpenedPage, site: SimulatedSite) -> None:
    """Something of everything: a long answer, one that broke off, a failed visit, a key."""
    await opened.send(LONG)
    await opened.send(BREAKS_OFF, state="broken")
    await failed_visit(opened.proxy, site)
    await opened.usage_of(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_screen_is_accessible(
    opener: PageOpener, site: SimulatedSite, scheme: Literal["light", "dark"]
) -> None:
    opened = await opener.open(key=MASTER, scheme=scheme)
    page = opened.page
    await opened.sign_in("wrong")
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await problems(page) == []
    await opened.sign_in()
    await expect(page.get_by_text("What would you like to know?")).to_be_visible()
    assert await problems(page) == []

    await fill(opened, site)
    assert await problems(page) == []
    await page.get_by_role("button", name="Delete").click()
    assert await problems(page) == []
    await page.keyboard.press("Escape")
    await opened.go("Dashboard")
    await expect(page.get_by_role("button", name="Show the screenshot")).to_be_visible()
    await expect(page.locator("figure canvas").first).to_be_visible()
    assert await problems(page) == []
    await opened.go("Keys")
    await page.get_by_label("Name").fill("Ada")
    await page.get_by_role("button", name="Create a key").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await problems(page) == []
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Revoke")).to_be_visible()
    assert await problems(page) == []


async def too_wide(page: Page) -> list[Any]:
    """The elements wider than the screen on a phone or at some zoom; empty if none."""
    found: list[Any] = []
    for size in SMALL:
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        found += [(size, each) for each in await page.evaluate(WIDER)]
        width = await page.evaluate("document.documentElement.scrollWidth")
        found += [(size, width)] if width > size[0] else []
    return found


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_on_phones_and_at_any_zoom_nothing_is_wider_than_the_screen(
    opener: PageOpener, site: SimulatedSite, locale: str
) -> None:
    opened = await opener.open(key=MASTER, size=PHONE, locale=locale)
    page = opened.page
    wide = {"sign-in": await too_wide(page)}
    await page.locator("#key").fill(MASTER)
    await page.keyboard.press("Enter")
    await expect(page.locator(".first-run")).to_be_visible()
    wide["first"] = await too_wide(page)
    for text, state in ((LONG, "done"), (BREAKS_OFF, "broken")):
        await page.locator("#message").fill(text)
        await page.keyboard.press("Enter")
        await expect(page.locator(f".turn.assistant[data-state={state}]")).to_have_count(1)
    wide["chat"] = await too_wide(page)
    await page.locator(".drawer").click()
    await expect(page.locator(".side a").first).to_be_visible()
    wide["list"] = await too_wide(page)
    await failed_visit(opened.proxy, site)
    await opened.usage_of(2)
    await page.evaluate("location.hash = '#/dashboard'")
    await expect(page.locator("figure canvas").first).to_be_visible()
    await expect(page.locator(".visits li")).to_have_count(1)
    await expect(page.locator(".models tbody tr").first).to_be_visible()
    wide["dashboard"] = await too_wide(page)
    await page.evaluate("location.hash = '#/keys'")
    await page.locator("form input").first.fill("Ada " + "x" * 60)
    await page.locator("form button").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    wide["secret"] = await too_wide(page)
    await page.locator("dialog button.primary").click()
    await expect(page.locator(".keys .card")).to_have_count(1)
    wide["keys"] = await too_wide(page)

    assert {screen: found for screen, found in wide.items() if found} == {}


async def test_at_200_percent_there_is_room_to_read_and_to_write(opener: PageOpener) -> None:
    opened = await opener.open(size=ZOOMED)
    await opened.send(LONG)
    height = await opened.page.locator(".log").evaluate("log => log.clientHeight")
    field = await opened.page.locator("#message").bounding_box()

    assert height >= ZOOMED[1] / 3
    assert field is not None
    await opened.page.locator("#message").fill("a long draft\n" * 30)
    assert await opened.page.locator(".log").evaluate("log => log.clientHeight") >= ZOOMED[1] / 4
    assert field["y"] + field["height"] <= ZOOMED[1]


async def test_lists_quotes_and_tables_run_as_their_text_does(opened: OpenedPage) -> None:
    answer = await opened.send(RIGHT_TO_LEFT)
    places = await answer.locator(".text").evaluate(PLACES)

    assert all(15 < space < 30 for space in places.pop("texts")), "their marks stand in this space"
    assert all(15 < space < 30 for space in places.pop("others"))
    assert places == {"quote": ["3px", "0px"], "columns": True, "centred": True, "code": "ltr"}


async def test_whoever_scrolls_past_the_end_of_a_conversation_still_sees_it(opened: OpenedPage) -> None:
    for _ in range(2):
        await opened.send(LONG)
    await opened.page.mouse.move(DESKTOP[0] / 2, DESKTOP[1] / 2)
    await opened.page.mouse.wheel(0, 10_000)

    assert await opened.page.locator("main").evaluate("main => main.scrollHeight - main.clientHeight") == 0
    await expect(opened.page.get_by_label("Write a message")).to_be_in_viewport()


async def test_a_dialog_that_is_made_higher_stretches_nothing_in_it(opened: OpenedPage) -> None:
    await opened.send("hello")
    await opened.page.get_by_role("button", name="Delete").click()
    shown = opened.page.get_by_role("dialog")
    await shown.evaluate("dialog => { dialog.style.height = '700px'; }")  # WebKit makes it as high as what it stretches
    button = await shown.get_by_role("button", name="Delete").bounding_box()

    assert button is not None
    assert button["height"] < 60


async def test_each_screen_is_shown_from_its_top(opener: PageOpener) -> None:
    opened = await opener.open(size=PHONE)
    await opened.go("Dashboard")
    await opened.page.get_by_role("heading", name="Usage").scroll_into_view_if_needed()
    await expect(opened.page.get_by_role("heading", name="Dashboard")).not_to_be_in_viewport()
    await opened.go("Keys")

    await expect(opened.page.get_by_role("heading", name="Keys")).to_be_in_viewport()


async def test_colours_follow_the_system_until_they_are_chosen(opener: PageOpener) -> None:
    opened = await opener.open(scheme="dark")
    page = opened.page
    dark = await page.evaluate(BACKGROUND)
    await page.emulate_media(color_scheme="light")
    light = await page.evaluate(BACKGROUND)
    assert dark != light
    await page.get_by_role("button", name="Light or dark").click()
    assert await page.evaluate(BACKGROUND) == dark

    await page.reload()
    assert await page.evaluate(BACKGROUND) == dark
    await page.get_by_role("button", name="Light or dark").click()
    assert await page.evaluate(BACKGROUND) == light


async def test_the_language_is_the_browsers_until_it_is_chosen(opener: PageOpener) -> None:
    opened = await opener.open(locale="zh-TW")
    page = opened.page
    await expect(page.get_by_role("heading", name="想了解些什么？")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "zh-CN"
    await page.get_by_role("button", name="English").click()
    await opened.go("Keys")  # which was not shown when the language was changed
    await expect(page.get_by_role("button", name="Create a key")).to_be_visible()
    await opened.go("Chat")
    await opened.send("hello")
    await page.reload()
    await expect(page.get_by_role("link", name="Dashboard")).to_be_visible()

    await opened.go("Dashboard")
    await expect(page.get_by_text("closed (all well)")).to_be_visible()
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_text("闭合（正常）")).to_be_visible()
    await expect(page.get_by_role("heading", name="仪表盘")).to_be_visible()


@pytest.mark.parametrize("name", ["C", "en-US@posix"])
async def test_a_browser_without_a_language_that_programs_know_shows_the_page(opened: OpenedPage, name: str) -> None:
    page = opened.page
    await page.add_init_script(
        f"Object.defineProperty(navigator, 'language', {{ value: {name!r}, configurable: true }})"
    )
    await page.reload()

    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


async def test_everything_is_reachable_by_keyboard_with_a_visible_focus(opened: OpenedPage) -> None:
    page = opened.page
    await page.reload()
    await expect(page.get_by_label("Write a message")).to_be_focused()
    reached = []
    for _ in range(14):
        await page.keyboard.press("Tab")
        name, outline = await page.evaluate(
            "() => { const at = document.activeElement;"
            " return [at.ariaLabel || at.textContent, getComputedStyle(at).outlineStyle]; }"
        )
        reached.append(name)
        assert outline != "none" or name == "Write a message" or focus_is_on_body(name), name
    for name in ("Send", "Chat", "Dashboard", "Keys", "Light or dark", "New conversation", "Model", "Copy as curl"):
        assert name in reached, name


def focus_is_on_body(name: str) -> bool:
    """Whether the focus has left the page for the browser's own controls."""
    return "freeaichat" in name and len(name) > 40
