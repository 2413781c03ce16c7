"""The card for newcomers: three snippets that work as they are, until it is put away or the first answer came."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from shared.admin import key_admin
from shared.admin.keys import parse_new_key
from tests.page.browsing import MASTER, ZOOMED, OpenedPage, PageOpener
from tests.proxy.running import capture
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
ASK = f"""
import openai
messages = [{{"role": "user", "content": "Hello!"}}]
print(openai.OpenAI().chat.completions.create(model="{MODEL}", messages=messages).choices[0].message.content)
"""


async def copied(page: Page, name: str) -> str:
    """What the button of this name copies."""
    await page.get_by_role("button", name=name).click()
    text = await page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text


async def printed(directory: Path, *command: str, **environment: str) -> str:
    """What *command* prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=-1, stderr=-1, cwd=directory, env={"PATH": os.environ["PATH"], **environment}
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@pytest.mark.parametrize("needs_key", [False, True], ids=["open", "with a key"])
async def test_the_copied_command_gets_an_answer(opener: PageOpener, tmp_path: Path, needs_key: bool) -> None:
    opened = await opener.open(key=MASTER if needs_key else None, size=ZOOMED)
    page, keys = opened.page, {}
    if needs_key:
        key, _ = await key_admin.create(opened.proxy.store, parse_new_key("newcomer"), now=0.0)
        keys = {"FREEAICHAT_API_KEY": key}
        await opened.sign_in()
    await page.get_by_label("Model", exact=True).select_option(MODEL)
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_in_viewport()
    assert opened.proxy.url in await page.locator(".first-run").inner_text()

    command = await copied(page, "Copy the command")
    assert '"delta":{"content":"' in await printed(tmp_path, "sh", "-c", command, **keys)
    program = await copied(page, "Copy the program")
    assert "You said: Hello!" in await printed(tmp_path, sys.executable, "-c", program, **keys)
    (tmp_path / "ask.py").write_text(ASK)
    settings = await copied(page, "Copy the settings")
    typed = f"{settings}{sys.executable} ask.py"
    assert "You said: Hello!" in await printed(tmp_path, "sh", "-c", typed, **keys)


async def test_the_introduction_is_shown_until_it_is_dismissed(opened: OpenedPage) -> None:
    page, card = opened.page, opened.page.locator(".first-run")
    await expect(card).to_be_visible()
    await page.reload()
    await expect(card).to_be_visible()
    await page.get_by_role("button", name="中文").click()
    await expect(card).to_contain_text("你好！")
    await card.get_by_role("button", name="知道了").click()
    await expect(card).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("heading", name="想了解些什么？")).to_be_visible()
    await expect(card).to_be_hidden()


async def test_the_first_answer_ends_the_introduction_and_a_failure_does_not(
    opened: OpenedPage, site: SimulatedSite
) -> None:
    page, card = opened.page, opened.page.locator(".first-run")
    site.behaviour.stream_error = "Something went wrong."
    await opened.send("hello", state="failed")
    await page.get_by_role("link", name="New conversation").click()
    await expect(card).to_be_visible()

    site.behaviour.stream_error = ""
    await opened.send("hello")
    await page.get_by_role("link", name="New conversation").click()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    await expect(card).to_be_hidden()


async def test_the_introduction_names_the_chosen_model(opened: OpenedPage) -> None:
    await opened.page.get_by_label("Model", exact=True).select_option("vision-bot-视觉")

    await expect(opened.page.locator(".first-run")).to_contain_text('"model":"vision-bot-视觉"')


async def test_without_a_capture_the_introduction_polls_for_models(opener: PageOpener, site: SimulatedSite) -> None:
    opened = await opener.open(captured=False)
    await expect(opened.page.locator(".abilities")).to_contain_text("not available")
    await opened.proxy.store.save_capture(await capture(site), base=0)

    await expect(opened.page.locator(".abilities")).not_to_contain_text("not available")
    await expect(opened.page.get_by_label("Model", exact=True).locator("option:checked")).to_contain_text("Helper")
