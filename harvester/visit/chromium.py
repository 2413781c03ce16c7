"""`harvester.visit.tab.Tab` in a real browser. It moves the browser and decides nothing."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Error, Frame, Page, Request, Response, Route
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from harvester.visit import page_script
from harvester.visit.addresses import Link, is_wanted
from harvester.visit.documents import Documents
from harvester.visit.errors import BrowserFailed, NotNow, PageFailed
from harvester.visit.identity import bounded
from harvester.visit.playwright_calls import act, call, guarded, unless_closed
from harvester.visit.plugins import PLUGINS
from harvester.visit.requests import Request as Seen
from harvester.visit.tab import Signs, Snapshot
from shared.parsing import is_same_site
from shared.plugins.markup import elements_in
from shared.plugins.requests import PluginRequest

SCREENSHOT_SECONDS = 3.0
MAX_SCREENSHOT_BYTES = 4 * 1024 * 1024
MAX_OBSERVED = 200
MAX_FRAMES = 10
FRAME_SECONDS = 0.5  # for one frame to be looked at
MAX_SCREENS = 30  # of a page that is scrolled down
_SOUGHT = {
    "fields": [[plugin.mark, page_script.fields(plugin.mark)] for plugin in PLUGINS],
    "attributes": [name for plugin in PLUGINS for name in plugin.attributes],
    "prefixes": [plugin.storage_prefix for plugin in PLUGINS],
}
WRITTEN_FRAMES = frozenset({"about:srcdoc", "about:blank"})

log = logging.getLogger(__name__)


class ChromiumTab:
    """`harvester.visit.tab.Tab` in a real browser."""

    def __init__(self, context: BrowserContext, page: Page, host: str) -> None:
        self._context = context
        self._page = page
        self._hosts = {host}  # of the pages shown: a site may have moved to another domain
        self._is_wide = self._is_withheld = False
        self._screens = 0  # that it was scrolled down
        self._is_at_end = False
        self._document: Response | None = None
        self._loads = 0
        self._requests: dict[Request, int] = {}
        self._fleeting = [name for plugin in PLUGINS for name in plugin.fleeting]
        self._documents = Documents(self._fleeting)
        context.on("requestfinished", unless_closed(self._documents.finished))
        context.on("request", guarded(self._on_request))
        context.on("response", guarded(self._on_response))

    async def go(self, url: str, *, timeout: float) -> None:
        self._document, self._loads, self._is_withheld = None, 0, False
        self._screens, self._is_at_end = 0, False
        await call(self._page.goto(url, wait_until="commit", timeout=timeout * 1000))

    async def snapshot(self) -> Snapshot:
        seen = await self._seen_in(self._page.main_frame)
        for frame in self._own_frames():
            try:
                async with asyncio.timeout(FRAME_SECONDS):
                    inside = await self._seen_in(frame)
            except (NotNow, PageFailed, TimeoutError):
                continue  # it is navigating, or was taken away: the next snapshot may have it
            seen["configs"] += inside["configs"]
            seen["written"] += inside["written"]
            seen["fields"] += inside["fields"]
            seen["stored"] = inside["stored"] | seen["stored"]
        seen["links"] = [Link(*link) for link in seen["links"]]
        seen["configs"] = [dict(pairs) for pairs in seen["configs"]]
        came = [self._documents.elements(frame) for frame in (self._page.main_frame, *self._own_frames())]
        came += [elements_in(html, self._fleeting) for html in seen.pop("written")]  # by no request of its own
        for elements in came:
            seen["configs"] += [one for one in elements if one not in seen["configs"]]
        status = self._document.status if self._document else 0
        headers = dict(self._document.headers) if self._document else {}
        seen["refreshes"] += [headers["refresh"]] if "refresh" in headers else []
        return Snapshot(
            url=self._page.url,
            status=status,
            headers=headers,
            loads=self._loads,
            withheld=self._is_withheld,
            **seen,
        )

    async def signs(self) -> Signs:
        older = [list(plugin.forerunner) for plugin in PLUGINS if all(plugin.forerunner)]
        return Signs(**await call(self._page.evaluate(page_script.SIGNS, older)))

    async def scroll(self) -> bool:
        if self._is_at_end:
            await call(self._page.evaluate(page_script.TO_TOP))
            return False
        self._screens += 1
        # Scripts that wait for the visitor listen for the wheel as well as for what it does.
        await call(self._page.mouse.wheel(0, 1))
        is_more = bool(await call(self._page.evaluate(page_script.SCROLL, self._screens)))
        self._is_at_end = not is_more or self._screens >= MAX_SCREENS
        return True

    def widen(self) -> None:
        self._is_wide = True

    async def user_agent(self) -> str:
        return str(await call(self._page.evaluate("navigator.userAgent")))

    async def keep(self, items: Mapping[str, str]) -> None:
        await call(self._page.evaluate(page_script.KEEP, list(items.items())))

    async def cookie_header(self, url: str) -> str:
        cookies = await call(self._context.cookies(url))
        return "; ".join(f"{it['name']}={it['value']}" if it["name"] else it["value"] for it in cookies)

    async def identity(self) -> str:
        prefixes = tuple(plugin.storage_prefix for plugin in PLUGINS)
        return bounded(await call(self._context.storage_state()), first=prefixes)

    async def post(self, request: PluginRequest, *, timeout: float) -> tuple[int, bytes]:
        url, body, headers = request.url, request.body, dict(request.headers)
        posting = self._context.request.post(url, data=body, headers=headers, timeout=timeout * 1000, max_redirects=0)
        answer = await call(posting)
        return answer.status, await call(answer.body())

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        answer = await call(self._context.request.get(url, timeout=timeout * 1000, max_redirects=3))
        return answer.status, await call(answer.body())

    async def type_message(self, text: str, *, mark: str, opener: str, timeout: float) -> bool:
        for frame in (self._page.main_frame, *self._own_frames()):
            if await _type_into(frame, text, mark=mark, opener=opener, timeout=timeout):
                return True
        return False

    def requests(self) -> list[Seen]:
        return [
            Seen(request.url, request.headers.get("content-type", ""), request.post_data_buffer or b"", status)
            for request, status in self._requests.items()
        ]

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
        return await call(self._page.screenshot(timeout=SCREENSHOT_SECONDS * 1000))

    async def keep_small(self) -> None:
        """Load only what the visit needs, and in this one tab."""
        await call(self._context.route("**/*", unless_closed(self._decide)))
        self._context.on("page", unless_closed(Page.close))

    async def _decide(self, route: Route) -> None:
        request = route.request
        is_document = self._is_document(request)
        if is_document or is_wanted(request.resource_type, request.url, self._hosts, is_wide=self._is_wide):
            await route.continue_()
            return
        self._is_withheld |= request.resource_type == "script"
        await route.abort()

    async def _seen_in(self, frame: Frame) -> dict[str, Any]:
        seen: dict[str, Any] = await call(frame.evaluate(page_script.SNAPSHOT, _SOUGHT))
        return seen

    def _own_frames(self) -> list[Frame]:
        """The frames of the page's own site that it holds, and those that it wrote itself."""
        host = urlsplit(self._page.url).hostname or ""
        inner = [frame for frame in self._page.frames if frame.parent_frame is not None and not frame.is_detached()]
        return [
            frame
            for frame in inner
            if frame.url in WRITTEN_FRAMES or is_same_site(host, urlsplit(frame.url).hostname or "")
        ][:MAX_FRAMES]

    def _on_request(self, request: Request) -> None:
        is_plugins = any(plugin.request_mark in request.url for plugin in PLUGINS)
        if self._is_document(request):
            self._hosts.add(urlsplit(request.url).hostname or "")
        elif is_plugins and len(self._requests) < MAX_OBSERVED:
            self._requests[request] = 0
        self._documents.begun(request)

    def _on_response(self, response: Response) -> None:
        if self._is_document(response.request):
            self._document = response
            self._loads += "location" not in response.headers
        elif response.request in self._requests:
            self._requests[response.request] = response.status

    def _is_document(self, request: Request) -> bool:
        """Whether this loads the tab's own page, which may lead to another host."""
        try:
            return request.is_navigation_request() and request.frame == self._page.main_frame
        except Error:  # a window that was just opened has no frame yet
            return False


async def _type_into(frame: Frame, text: str, *, mark: str, opener: str, timeout: float) -> bool:
    """As `harvester.visit.tab.Tab.type_message`, in one frame."""
    button = frame.locator(opener).first
    box = frame.locator(page_script.fields(mark)).filter(visible=True).first
    fields, buttons = await call(box.count()), await call(button.count())
    if not fields and buttons:
        await act("button", button.click(timeout=timeout * 1000))
        fields = await call(box.count())
    if not fields:
        return False
    await act("field", box.fill(text, timeout=timeout * 1000))
    await act("field", box.press("Enter", timeout=timeout * 1000))
    return True
