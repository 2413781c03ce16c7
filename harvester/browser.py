"""The only place that uses Playwright: one browser with one tab, for the length of one visit.

It moves a browser and decides nothing. It hides nothing either: no made-up User-Agent, nothing that would make an
automated browser look like another.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import (
    Browser,
    BrowserContext,
    BrowserType,
    Error,
    Page,
    Request,
    Response,
    Route,
    async_playwright,
)
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from harvester import page_script
from harvester.addresses import Link, is_wanted
from harvester.observed import Observed, read_request
from harvester.recognise import is_sandbox_failure, launch_failure, net_error
from harvester.tab import BrowserFailed, Look, NotNow, PageFailed
from shared.aipkit.page import GUEST_ID_KEY

T = TypeVar("T")

CLOSE_SECONDS = 1.0
SCREENSHOT_SECONDS = 3.0
MAX_SCREENSHOT_BYTES = 4 * 1024 * 1024
MAX_OBSERVED = 200
ARGUMENTS = ("--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")

log = logging.getLogger(__name__)


class ChromiumTab:
    """`harvester.tab.Tab` in a real browser."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self._context = context
        self._page = page
        self._document: Response | None = None
        self._loads = 0
        self._requests: dict[Request, int] = {}
        context.on("request", self._on_request)
        context.on("response", self._on_response)

    async def go(self, url: str, *, timeout: float) -> None:
        self._document, self._loads = None, 0
        await _call(self._page.goto(url, wait_until="commit", timeout=timeout * 1000))

    async def look(self) -> Look:
        seen: dict[str, Any] = await _call(self._page.evaluate(page_script.LOOK, page_script.BOX))
        links = [Link(*link) for link in seen.pop("links")]
        status = self._document.status if self._document else 0
        headers = dict(self._document.headers) if self._document else {}
        return Look(url=self._page.url, status=status, headers=headers, links=links, loads=self._loads, **seen)

    async def user_agent(self) -> str:
        return str(await _call(self._page.evaluate("navigator.userAgent")))

    async def keep_guest_id(self, session_id: str) -> None:
        await _call(self._page.evaluate(page_script.KEEP_GUEST_ID, [GUEST_ID_KEY, session_id]))

    async def cookie_header(self, url: str) -> str:
        cookies = await _call(self._context.cookies(url))
        return "; ".join(f"{it['name']}={it['value']}" if it["name"] else it["value"] for it in cookies)

    async def identity(self) -> str:
        return json.dumps(await _call(self._context.storage_state()))

    async def post_form(self, url: str, form: dict[str, str], *, timeout: float) -> tuple[int, bytes]:
        answer = await _call(self._context.request.post(url, form=dict(form), timeout=timeout * 1000, max_redirects=0))
        return answer.status, await _call(answer.body())

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        answer = await _call(self._context.request.get(url, timeout=timeout * 1000, max_redirects=3))
        return answer.status, await _call(answer.body())

    async def type_message(self, text: str, *, timeout: float) -> bool:
        button = self._page.locator(page_script.POPUP_BUTTON).first
        box = self._page.locator(page_script.BOX).filter(visible=True).first
        fields, buttons = await _call(box.count()), await _call(button.count())
        if not fields and buttons:
            await _call(button.click(timeout=timeout * 1000))
            fields = await _call(box.count())
        if not fields:
            return False
        await _call(box.fill(text, timeout=timeout * 1000))
        await _call(box.press("Enter", timeout=timeout * 1000))
        return True

    def observed(self) -> list[Observed]:
        found = []
        for request, status in self._requests.items():
            content_type = request.headers.get("content-type", "")
            read = read_request(request.url, content_type, request.post_data_buffer, status)
            if read is not None:
                found.append(read)
        return found

    async def screenshot(self) -> bytes | None:
        if self._document is None:  # nothing came: there is nothing to see
            return None
        try:
            async with asyncio.timeout(SCREENSHOT_SECONDS):
                picture = await self._picture()
        except (BrowserFailed, PageFailed, NotNow, TimeoutError) as error:
            log.warning("no screenshot: %s", error)
            return None
        return picture if len(picture) <= MAX_SCREENSHOT_BYTES else None

    @retry(
        retry=retry_if_exception_type((PageFailed, NotNow)),
        stop=stop_after_attempt(3),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    async def _picture(self) -> bytes:
        """One of a page that is just changing fails, and soon succeeds."""
        return await _call(self._page.screenshot(timeout=SCREENSHOT_SECONDS * 1000))

    def _on_request(self, request: Request) -> None:
        if "/admin-ajax.php" in request.url and len(self._requests) < MAX_OBSERVED:
            self._requests[request] = 0

    def _on_response(self, response: Response) -> None:
        if response.request in self._requests:
            self._requests[response.request] = response.status
        elif _is_document(response.request, self._page):
            self._document = response
            self._loads += "location" not in response.headers


@asynccontextmanager
async def open_tab(
    program: Path, *, host: str, identity: str | None, session_id: str, is_headed: bool, timeout: float
) -> AsyncIterator[ChromiumTab]:
    """A browser for a visit of *host*, as the guest that *identity* (storage_state JSON) and *session_id* describe.

    *timeout* bounds the start, in seconds. Raises `BrowserFailed` and TimeoutError.
    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(timeout):
                playwright = await _call(async_playwright().start())
                stack.push_async_callback(_close, playwright.stop)
                browser = await _launch(playwright.chromium, program, is_headed=is_headed, timeout=timeout)
                stack.push_async_callback(_close, browser.close)
                context = await _guest_context(browser, identity, session_id, is_headed=is_headed)
                page = await _call(context.new_page())
                tab = ChromiumTab(context, page)
                if not is_headed:
                    await _keep_small(context, page, host)
        except (PageFailed, NotNow) as error:
            raise BrowserFailed(f"the browser cannot be used: {error}", is_passing=False) from error
        yield tab


async def _launch(chromium: BrowserType, program: Path, *, is_headed: bool, timeout: float) -> Browser:
    async def launch(*, with_sandbox: bool) -> Browser:
        return await chromium.launch(
            executable_path=program,
            headless=not is_headed,
            chromium_sandbox=with_sandbox,
            args=ARGUMENTS,
            timeout=timeout * 1000,
            handle_sigint=False,  # who started the visit ends it
            handle_sigterm=False,
            handle_sighup=False,
        )

    try:
        # Chromium refuses to run as root with its sandbox. Many containers forbid the namespaces that the sandbox
        # is made of; the container is the sandbox then.
        if os.geteuid() == 0:
            return await launch(with_sandbox=False)
        try:
            return await launch(with_sandbox=True)
        except Error as error:
            if not is_sandbox_failure(error.message):
                raise
            log.warning("the browser's own sandbox cannot work here; starting it without")
            return await launch(with_sandbox=False)
    except Error as error:
        reason, is_passing = launch_failure(error.message)
        raise BrowserFailed(f"{program} did not start: {reason}", is_passing=is_passing) from error


async def _guest_context(browser: Browser, identity: str | None, session_id: str, *, is_headed: bool) -> BrowserContext:
    state = json.loads(identity) if identity else {}
    context = await _call(
        browser.new_context(
            storage_state={"origins": state.get("origins", [])}, accept_downloads=is_headed, no_viewport=is_headed
        )
    )
    if session_id:
        # Before the page's own scripts run, so that the guest stays the same whatever host answers.
        known = json.dumps([GUEST_ID_KEY, session_id])
        await _call(context.add_init_script(f"({page_script.KEEP_GUEST_ID})({known})"))
    await _restore_cookies(context, state.get("cookies", []))
    return context


async def _restore_cookies(context: BrowserContext, cookies: list[Any]) -> None:
    """Set *cookies*; where the browser refuses one, only that one is lost."""
    try:
        await context.add_cookies(cookies)
    except Error:
        for cookie in cookies:
            try:
                await context.add_cookies([cookie])
            except Error as error:
                log.warning("a stored cookie of %s was refused: %s", cookie.get("domain"), _first_line(error))


async def _keep_small(context: BrowserContext, page: Page, host: str) -> None:
    """Load only what the visit needs, and in this one tab."""

    async def decide(route: Route) -> None:
        wanted = is_wanted(route.request.resource_type, route.request.url, host) or _is_document(route.request, page)
        await (route.continue_() if wanted else route.abort())

    async def close_popup(other: Page) -> None:
        await other.close()

    await _call(context.route("**/*", _unless_closed(decide)))
    context.on("page", _unless_closed(close_popup))


def _is_document(request: Request, page: Page) -> bool:
    """Whether this loads the tab's own page, which may lead to another host."""
    return request.is_navigation_request() and request.frame == page.main_frame


def _unless_closed(handler: Callable[[T], Awaitable[None]]) -> Callable[[T], Awaitable[None]]:
    """*handler* for events that may still come while the tab is closed: then there is nothing left to handle."""

    async def handle(event: T) -> None:
        try:
            await handler(event)
        except Error as error:
            log.debug("event not handled: %s", _first_line(error))

    return handle


async def _close(close: Callable[[], Awaitable[None]]) -> None:
    """Close in good order if that is quick; whatever is left is killed with the visit's process."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await _call(close())
    except (BrowserFailed, TimeoutError) as error:
        log.debug("not closed: %s", error)


async def _call(call: Awaitable[T]) -> T:
    """Await *call*, with Playwright's exceptions turned into ours."""
    try:
        return await call
    except Error as error:
        raise _translated(error) from error
    except Exception as error:
        if type(error) is not Exception:  # Playwright has no class of its own for a driver that ended
            raise
        raise BrowserFailed(f"the browser's driver ended: {error}") from error


def _translated(error: Error) -> Exception:
    text = _first_line(error)
    if error.name == "TimeoutError":
        return TimeoutError(text)
    if "net::ERR_" in text:
        reason, is_passing = net_error(text.partition("net::ERR_")[2].partition(" ")[0])
        return PageFailed(reason, is_passing=is_passing)
    if "Download is starting" in text:
        return PageFailed("the address gives a file to download, not a page")
    if any(part in text for part in ("context was destroyed", "interrupted by another navigation", "was detached")):
        return NotNow(text)
    if any(part in text for part in ("has been closed", "crashed", "Connection closed")):
        return BrowserFailed(
            f"the browser ended or its page crashed ({text.strip()}); if this goes on, `freeaichat doctor` looks closer"
        )
    return PageFailed(text, is_passing="ECONNRESET" in text or "socket hang up" in text)


def _first_line(error: Error) -> str:
    """What went wrong, without the name of the method and the logs that Playwright adds."""
    return error.message.partition("\n")[0].partition(": ")[2] or error.message.partition("\n")[0]
