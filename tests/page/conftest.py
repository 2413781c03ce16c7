"""A browser, and the page in it; what a page must never do fails its test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from shared.browsers import find_browser
from tests.page.browsing import Opened, Opener
from tests.site import SimulatedSite


@pytest.fixture
async def site() -> AsyncIterator[SimulatedSite]:
    """The site, with its default bots."""
    async with SimulatedSite() as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of the test's own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_browser("").path)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def opener(browser: Browser, site: SimulatedSite, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the page; whatever was opened must have behaved."""
    opener = Opener(browser, site, tmp_path)
    async with opener:
        yield opener
    assert opener.complaints == []


@pytest.fixture
async def opened(opener: Opener) -> Opened:
    """The page of a proxy that needs no key, on a desktop, in English."""
    return await opener.open()
