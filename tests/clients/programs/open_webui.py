"""Open WebUI with its defaults: start the server, type a message into its page, and send it with Enter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import async_playwright

from shared.browsers import find_browser
from tests.clients.programs.installed import python_program
from tests.clients.programs.tasks import KEY, TEXT, Place
from tests.clients.running import environment

START_SECONDS = 240.0  # its first start makes a database, step by step
TITLE = "Hello"
STEPS: list[dict[str, Any]] = [
    {"calls": [["write_note", {"title": TITLE, "content": TEXT}]]},
    {"calls": [["search_notes", {"query": TITLE}]]},
]


@asynccontextmanager
async def serving(place: Place, port: int, log: Path) -> AsyncIterator[str]:
    """Run Open WebUI on *port*, set up only with the proxy's address and no sign-in; yield its address."""
    url = f"http://127.0.0.1:{port}"
    variables = {
        **environment(place.home),
        "DATA_DIR": str(place.home),
        "WEBUI_AUTH": "False",
        "OPENAI_API_BASE_URL": place.base_url,
        "OPENAI_API_KEY": KEY,
        "ENABLE_OLLAMA_API": "False",
        "OFFLINE_MODE": "true",  # it would fetch a model for its search
    }
    command = (python_program("open-webui"), "serve", "--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, env=variables, cwd=place.work, stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _answers(url):
                assert process.returncode is None, f"it ended at once; {log} says why"
                await asyncio.sleep(0.5)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def say(url: str, text: str, awaited: str) -> str:
    """Type *text* into a new chat; return the page's text once *awaited* is in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser("").path)
        try:
            page = await browser.new_page()
            await page.goto(url, wait_until="domcontentloaded")
            await page.get_by_role("button", name="Let's Go").click(timeout=60_000)  # what is new in this version
            await page.locator("#chat-input").click(timeout=60_000)
            await page.keyboard.type(text)
            await page.keyboard.press("Enter")
            await page.get_by_text(awaited).first.wait_for(timeout=120_000)
            return await page.inner_text("body")
        finally:
            await browser.close()


async def notes(url: str) -> list[tuple[str, str]]:
    """The titles and texts of all notes."""
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{url}/api/v1/auths/signin", json={"email": "", "password": ""}) as response:
            headers = {"Authorization": f"Bearer {(await response.json())['token']}"}
        async with http.get(f"{url}/api/v1/notes/", headers=headers) as response:
            found = await response.json()
    return [(note["title"], note["data"]["content"]["md"]) for note in found]


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/health") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
