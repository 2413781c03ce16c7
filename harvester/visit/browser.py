"""Launching a browser with one tab for one visit, with Playwright.

Nothing is hidden: no fake User-Agent, nothing that would make an automated browser look like another.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, BrowserType, Error, Playwright

from harvester.visit import page_script
from harvester.visit.browser_errors import is_sandbox_failure, launch_failure
from harvester.visit.chromium import ChromiumTab
from harvester.visit.errors import BrowserFailed, Navigating, PageFailed
from harvester.visit.playwright_calls import call, first_line
from harvester.visit.plugins import PLUGINS
from shared.models import Cause
from shared.site_client.proxies import InvalidProxy, no_proxy_hosts, proxy_to

T = TypeVar("T")
CLOSE_SECONDS = 1.0
_ARGUMENTS = ("--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run")

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_tab(
    driver: Awaitable[Playwright],
    program: Path,
    *,
    url: str,
    identity: str | None,
    session_id: str,
    is_headed: bool,
    timeout: float,
) -> AsyncIterator[ChromiumTab]:
    """Open a browser for a visit of *url*, as the guest that *identity* (storage_state JSON) and *session_id* describe.

    *driver*: Playwright, which may still be starting; it is stopped at the end. *timeout* bounds the start, in seconds.
    Raises `BrowserFailed` and TimeoutError.
    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(timeout):
                opening = open_browser(driver, program, url=url, is_headed=is_headed, timeout=timeout)
                browser = await stack.enter_async_context(opening)
                guest = guest_tab(browser, url, identity, session_id, is_headed=is_headed)
                tab = await stack.enter_async_context(guest)
        except (PageFailed, Navigating) as error:
            reason = f"the browser cannot be used: {error}"
            raise BrowserFailed(reason, cause=Cause.NOT_STARTED, is_transient=False) from error
        yield tab


@asynccontextmanager
async def open_browser(
    driver: Awaitable[Playwright], program: Path, *, url: str, is_headed: bool, timeout: float
) -> AsyncIterator[Browser]:
    """Open a browser without a tab; arguments as for `open_tab`. Raises `BrowserFailed`."""
    async with AsyncExitStack() as stack:
        playwright = await call(driver)
        stack.push_async_callback(_close, playwright.stop)
        browser = await _launch(playwright.chromium, program, url, is_headed=is_headed, timeout=timeout)
        stack.push_async_callback(_close, browser.close)
        yield browser


@asynccontextmanager
async def guest_tab(
    browser: Browser, url: str, identity: str | None, session_id: str, *, is_headed: bool
) -> AsyncIterator[ChromiumTab]:
    """Open the tab of one guest in a context of its own; arguments as for `open_tab`.

    Raises what `Tab` raises.
    """
    async with AsyncExitStack() as stack:
        opening = _guest_context(browser, identity, session_id, is_headed=is_headed)
        context = await _unless_ended(browser, opening)
        stack.push_async_callback(_close, context.close)
        page = await _unless_ended(browser, call(context.new_page()))
        tab = ChromiumTab(context, page, urlsplit(url).hostname or "")
        if not is_headed:
            await tab.block_resources()
        yield tab


async def _unless_ended(browser: Browser, opening: Awaitable[T]) -> T:
    """Await *opening*, or raise if the browser ends meanwhile: Playwright's own calls may then never end."""
    ended = asyncio.Event()

    def end(_: Browser) -> None:
        ended.set()

    browser.on("disconnected", end)
    making, ending = asyncio.ensure_future(opening), asyncio.create_task(ended.wait())
    try:
        await asyncio.wait({making, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            raise BrowserFailed("the browser ended while its tab was opened")
        return making.result()
    finally:
        browser.remove_listener("disconnected", end)
        making.cancel()
        ending.cancel()


async def _launch(chromium: BrowserType, program: Path, url: str, *, is_headed: bool, timeout: float) -> Browser:
    async def launch(*, with_sandbox: bool) -> Browser:
        return await chromium.launch(
            executable_path=program,
            headless=not is_headed,
            chromium_sandbox=with_sandbox,
            timeout=timeout * 1000,
            **_launch_options(url),
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
        reason, is_transient = launch_failure(error.message)
        reason = f"{program} did not start: {reason}"
        raise BrowserFailed(reason, cause=Cause.NOT_STARTED, is_transient=is_transient) from error


def _launch_options(url: str) -> dict[str, Any]:
    """Playwright's launch options for a visit of *url*. Raises `BrowserFailed`."""
    options: dict[str, Any] = {"args": _ARGUMENTS}
    # Who started the visit ends it.
    options |= dict.fromkeys(("handle_sigint", "handle_sigterm", "handle_sighup"), False)
    try:
        proxy = proxy_to(url)
    except InvalidProxy as error:
        raise BrowserFailed(
            f"the browser cannot be used: {error}", cause=Cause.NOT_STARTED, is_transient=False
        ) from error
    if proxy is not None:  # the driver, which fetches the nonce, does not read the environment
        login = {"username": proxy.user, "password": proxy.password}
        options["proxy"] = {"server": f"http://{proxy}", "bypass": ",".join(no_proxy_hosts()), **login}
    return options


async def _guest_context(browser: Browser, identity: str | None, session_id: str, *, is_headed: bool) -> BrowserContext:
    state = json.loads(identity) if identity else {}
    context = await call(
        browser.new_context(
            storage_state={"origins": state.get("origins", [])}, accept_downloads=is_headed, no_viewport=is_headed
        )
    )
    if session_id:
        # Before the page's own scripts run, so that the guest stays the same whatever host answers.
        items = json.dumps([item for plugin in PLUGINS for item in plugin.guest_storage(session_id).items()])
        await call(context.add_init_script(f"({page_script.KEEP})({items})"))
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
                log.warning("a stored cookie of %s was refused: %s", cookie.get("domain"), first_line(error))


async def _close(close: Callable[[], Awaitable[None]]) -> None:
    """Close within `CLOSE_SECONDS`; otherwise it is killed with the visit's process."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await call(close())
    except (BrowserFailed, TimeoutError) as error:
        log.debug("not closed: %s", error)
