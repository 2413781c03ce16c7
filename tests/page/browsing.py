"""The page in a browser: opening it, and the few things that people do on it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from shared.admin import usage_admin
from shared.admin.wire import UsageQuery
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

MASTER = "the-master-key"
DESKTOP, PHONE = (1280, 800), (375, 740)  # width and height
ZOOMED = (640, 400)  # the desktop at 200 %
NARROW = (320, 568)  # a small phone, or the desktop at 400 %
PATIENCE = 10_000.0  # milliseconds for anything to show
ANSWERS = ".turn.assistant"
BREAKS_OFF = "[[mode:cut]][[delay:0.05]]"  # with its text before the error: one that comes with it is an error alone

expect.set_options(timeout=PATIENCE)


@dataclass
class OpenedPage:
    """A page, and the proxy that served it."""

    page: Page
    proxy: RunningProxy

    @property
    def answer(self) -> Locator:
        """The last answer."""
        return self.page.locator(ANSWERS).last

    async def send(self, text: str, *, state: str = "done") -> Locator:
        """Write *text*, send it with Enter, and wait until its answer is in *state*."""
        count = await self.page.locator(ANSWERS).count()
        await self.page.get_by_label("Write a message").fill(text)
        await self.page.keyboard.press("Enter")
        return await self.wait_for_answer(state, count)

    async def wait_for_answer(self, state: str, number: int) -> Locator:
        """Wait until the answer with this *number* (from 0) is in *state*."""
        answer = self.page.locator(ANSWERS).nth(number)
        try:
            await expect(answer).to_have_attribute("data-state", state)
        except AssertionError as error:
            error.add_note(f"the answer reads: {await answer.all_inner_texts()}")
            raise
        return answer

    async def usage_of(self, requests: int) -> None:
        """Wait until the store knows of so many requests: usage is written once a second."""
        span = UsageQuery(0.0, time() + 3600, ("key",))
        async with asyncio.timeout(10):
            while sum(row["requests"] for row in await usage_admin.rows(self.proxy.store, span)) < requests:
                await asyncio.sleep(0.02)

    async def go(self, screen: str) -> None:
        """Open the screen of this name."""
        await self.page.get_by_role("link", name=screen, exact=True).click()

    async def sign_in(self, key: str = MASTER) -> None:
        """Sign in."""
        await self.page.get_by_label("Key", exact=True).fill(key)
        await self.page.get_by_role("button", name="Sign in").click()


class PageOpener:
    """Opens pages, and collects errors and foreign requests in `complaints`."""

    def __init__(self, browser: Browser, site: SimulatedSite, directory: Path) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._site = site
        self._directory = directory
        self._stack = AsyncExitStack()
        self._proxies: dict[tuple[str | None, str, bool], RunningProxy] = {}

    async def __aenter__(self) -> "PageOpener":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def open(
        self,
        *,
        key: str | None = None,
        size: tuple[int, int] = DESKTOP,
        scheme: Literal["light", "dark"] = "light",
        locale: str = "en-US",
        path: str = "/",
        servers: str = "",
        captured: bool = True,
    ) -> OpenedPage:
        """Open the page in a fresh browser context. *key*: the key that the proxy requires; *captured*: whether a visit
        has captured credentials already."""
        proxy = await self._proxy(key, servers, captured)
        context = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            locale=locale,
            permissions=["clipboard-read", "clipboard-write"],
        )
        self._stack.push_async_callback(context.close)
        page = await self._watched(context)
        await page.goto(proxy.url + path)
        await expect(page.locator("main > *").first).to_be_visible()
        return OpenedPage(page, proxy)

    async def _proxy(self, key: str | None, servers: str, captured: bool) -> RunningProxy:
        options = (key, servers, captured)
        if options not in self._proxies:
            directory = self._directory / f"proxy{len(self._proxies)}"
            running = running_proxy(self._site, directory, key=key, servers=servers, captured=captured)
            self._proxies[options] = await self._stack.enter_async_context(running)
        return self._proxies[options]

    async def _watched(self, context: BrowserContext) -> Page:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", lambda request: self._on_request(request.url))
        return page

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser itself tells of each refused request; that one was refused is for the test to judge.
        is_status = message.text.startswith("Failed to load resource: the server responded with a status of")
        if message.type in ("error", "warning") and not is_status:
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, url: str) -> None:
        own_urls = tuple(proxy.url + "/" for proxy in self._proxies.values())
        if not url.startswith((*own_urls, "data:", "blob:")):
            self.complaints.append(f"asked {url}")


async def stored(opened: OpenedPage) -> list[dict[str, Any]]:
    """The items of the conversation that is open, oldest first."""
    name = opened.page.url.rpartition("/")[2]
    async with opened.proxy.http.get(f"{opened.proxy.url}/v1/conversations/{name}/items?order=asc") as response:
        items: list[dict[str, Any]] = (await response.json())["data"]
        return items
