"""Visits that share one browser, which saves its start in each test.

A visit in a process and a browser of its own, as the service makes them, takes some two seconds of processor time more.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from threading import Thread
from typing import Any, TypeVar

from playwright.async_api import Browser, async_playwright

from harvester.job import Job, Report
from harvester.service.visit_processes import VisitProcesses
from harvester.service.workspace import Claim
from harvester.visit.browser import guest_tab, open_browser
from harvester.visit.chromium import ChromiumTab
from harvester.visit.process import make_visit
from shared.browsers import find_browser

T = TypeVar("T")
CLOSE_SECONDS = 10.0


class OneBrowser(VisitProcesses):
    """Makes visits in one browser, each as a guest of its own. The browser has a thread with an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._stack = AsyncExitStack()
        self._browser: Browser | None = None

    @asynccontextmanager
    async def run(self, job: Job, claim: Claim) -> AsyncIterator[Report]:
        """Make the visit and hand out its report."""
        await asyncio.to_thread(claim.sweep)
        claim.directory.mkdir(mode=0o700)
        try:
            yield await asyncio.wrap_future(self._soon(self._report(job)))
        finally:
            await asyncio.to_thread(claim.clear)

    def close(self) -> None:
        """End the browser, if there is one."""
        self._soon(self._stack.aclose()).result(CLOSE_SECONDS)

    def _soon(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def _report(self, job: Job) -> Report:
        reports: list[Report] = []
        await make_visit(job, self._tab(job), reports.append)
        return reports[0]

    @asynccontextmanager
    async def _tab(self, job: Job) -> AsyncIterator[ChromiumTab]:
        if self._browser is None or not self._browser.is_connected():
            opening = open_browser(
                async_playwright().start(), find_browser("").path, url="", is_headed=False, timeout=job.limits.browser
            )
            self._browser = await self._stack.enter_async_context(opening)
        async with guest_tab(self._browser, job.page_url, job.identity, job.session_id, is_headed=False) as tab:
            yield tab


@contextmanager
def one_browser() -> Iterator[OneBrowser]:
    """A browser for many visits, which starts with the first."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="one browser", daemon=True)
    thread.start()
    workers = OneBrowser(loop)
    try:
        yield workers
    finally:
        workers.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        loop.close()
