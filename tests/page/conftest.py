"""A browser, and the page in it; what a page must never do fails its test.

All tests of this folder share a browser in each process that runs them, and so its event loop; each opens windows that
share nothing with another's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from shared.browsers import find_browser
from tests.loops import USERS
from tests.page.browsing import OpenedPage, PageOpener
from tests.site import SimulatedSite

HERE = Path(__file__).parent


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that every test, and so the proxy in its process, runs on."""
    return USERS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests on the loop of the browser."""
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(loop_scope="package")
async def site() -> AsyncIterator[SimulatedSite]:
    """The site, with its default bots."""
    async with SimulatedSite() as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """A browser of this folder's own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser("").path)
        try:
            yield browser
        finally:
            await browser.close()


@pytest_asyncio.fixture(loop_scope="package")
async def opener(browser: Browser, site: SimulatedSite, tmp_path: Path) -> AsyncIterator[PageOpener]:
    """Opens the page; whatever was opened must have behaved."""
    opener = PageOpener(browser, site, tmp_path)
    async with opener:
        yield opener
    assert opener.complaints == []


@pytest_asyncio.fixture(loop_scope="package")
async def opened(opener: PageOpener) -> OpenedPage:
    """The page of a proxy that needs no key, on a desktop, in English."""
    return await opener.open()
