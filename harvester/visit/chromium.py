"""`harvester.visit.tab.Tab` implemented with Playwright and Chromium."""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Error, Frame, Page, Request, Response, Route
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from harvester.visit import page_script
from harvester.visit.addresses import Link, should_load
from harvester.visit.documents import Documents
from harvester.visit.errors import BrowserFailed, Navigating, PageFailed
from harvester.visit.identity import dump_identity
from harvester.visit.playwright_calls import call, errors_logged, ignore_errors_async, user_action
from harvester.visit.plugins import PLUGINS
from harvester.visit.requests import PageRequest
from harvester.visit.tab import PageDetails, Snapshot
from shared.plugins.bot_checks import BLOCKED_ELEMENT
from shared.plugins.markup import elements_in
from shared.plugins.requests import PluginRequest
from shared.urls import is_same_site

SCREENSHOT_SECONDS = 3.0
MAX_SCREENSHOT_BYTES = 4 * 1024 * 1024
MAX_OBSERVED = 200
MAX_FRAMES = 10
FRAME_SECONDS = 0.5  # for one frame to be looked at
MAX_SCREENS = 30  # of a page that is scrolled down
_ATTRIBUTES = [name for plugin in PLUGINS for name in plugin.attributes]
_SNAPSHOT_ARGUMENTS = {
    "fields": [[plugin.mark, page_script.message_field_selector(plugin.mark)] for plugin in PLUGINS],
    "attributes": _ATTRIBUTES,
    "blocked": f"[{BLOCKED_ELEMENT}]",
    "prefixes": [plugin.storage_prefix for plugin in PLUGINS],
}
WRITTEN_FRAMES = frozenset({"about:srcdoc", "about:blank"})

log = logging.getLogger(__name__)


class ChromiumTab:
    """`harvester.visit.tab.Tab` in Chromium."""

    def __init__(self, context: BrowserContext, page: Page, host: str) -> None:
        self._context = context
        self._page = page
        self._hosts = {host}  # of the pages shown: a site may have moved to another domain
        self._allows_third_party = self._is_withheld = False
        self._screens = 0  # that it was scrolled down
        self._is_at_end = False
        self._document: Response | None = None
        self._loads = 0
        self._requests: dict[Request, int] = {}
        self._documents = Documents(_ATTRIBUTES)
        context.on("requestfinished", ignore_errors_async(self._documents.on_request_finished))
        context.on("request", self._on_request)
        context.on("response", self._on_response)

    async def go(self, url: str, *, timeout: float) -> None:
        self._document, self._loads, self._is_withheld = None, 0, False
        self._screens, self._is_at_end = 0, False
        await call(self._page.goto(url, wait_until="commit", timeout=timeout * 1000))

    async def snapshot(self) -> Snapshot:
        seen = await self._snapshot_frame(self._page.main_frame)
        for frame in self._site_frames():
            try:
                async with asyncio.timeout(FRAME_SECONDS):
                    inside = await self._snapshot_frame(frame)
            except (Navigating, PageFailed, TimeoutError):
                continue  # it is navigating, or was removed: the next snapshot may have it
            seen["configs"] += inside["configs"]
            seen["written"] += inside["written"]
            seen["fields"] += inside["fields"]
            seen["stored"] = inside["stored"] | seen["stored"]
        seen["links"] = [Link(*link) for link in seen["links"]]
        seen["configs"] = [dict(pairs) for pairs in seen["configs"]]
        for elements in self._received_elements(seen.pop("written")):
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

    async def details(self) -> PageDetails:
        older = [list(plugin.older_plugin) for plugin in PLUGINS if all(plugin.older_plugin)]
        return PageDetails(**await _read(self._page.main_frame, page_script.SIGNS, older))

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

    def allow_third_party(self) -> None:
        self._allows_third_party = True

    async def user_agent(self) -> str:
        return str(await call(self._page.evaluate("navigator.userAgent")))

    async def set_storage(self, items: Mapping[str, str]) -> None:
        await call(self._page.evaluate(page_script.KEEP, list(items.items())))

    async def cookie_header(self, url: str) -> str:
        cookies = await call(self._context.cookies(url))
        return "; ".join(f"{it['name']}={it['value']}" if it["name"] else it["value"] for it in cookies)

    async def identity(self) -> str:
        prefixes = tuple(plugin.storage_prefix for plugin in PLUGINS)
        return dump_identity(await call(self._context.storage_state()), first=prefixes)

    async def post(self, request: PluginRequest, *, timeout: float) -> tuple[int, bytes]:
        url, body, headers = request.url, request.body, dict(request.headers)
        posting = self._context.request.post(url, data=body, headers=headers, timeout=timeout * 1000, max_redirects=0)
        answer = await call(posting)
        return answer.status, await call(answer.body())

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        answer = await call(self._context.request.get(url, timeout=timeout * 1000, max_redirects=3))
        return answer.status, await call(answer.body())

    async def type_message(self, text: str, *, mark: str, opener: str, timeout: float) -> bool:
        for frame in (self._page.main_frame, *self._site_frames()):
            if await _type_into(frame, text, mark=mark, opener=opener, timeout=timeout):
                return True
        return False

    def requests(self) -> list[PageRequest]:
        return [
            PageRequest(request.url, request.headers.get("content-type", ""), request.post_data_buffer or b"", status)
            for request, status in self._requests.items()
        ]

    async def screenshot(self) -> bytes | None:
        if self._document is None:  # no page was loaded
            return None
        try:
            async with asyncio.timeout(SCREENSHOT_SECONDS):
                picture = await self._picture()
        except (BrowserFailed, PageFailed, Navigating, TimeoutError) as error:
            log.warning("no screenshot: %s", error)
            return None
        return picture if len(picture) <= MAX_SCREENSHOT_BYTES else None

    @retry(
        retry=retry_if_exception_type((PageFailed, Navigating)),
        stop=stop_after_attempt(3),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    async def _picture(self) -> bytes:
        """Take a screenshot, with retries, since it fails while a page is changing."""
        return await call(self._page.screenshot(timeout=SCREENSHOT_SECONDS * 1000))

    async def block_resources(self) -> None:
        """Block resources that the visit does not need, and close popups."""
        await call(self._context.route("**/*", ignore_errors_async(self._on_route)))
        self._context.on("page", ignore_errors_async(Page.close))

    async def _on_route(self, route: Route) -> None:
        request = route.request
        is_document = self._is_document(request)
        is_wide = self._allows_third_party
        if is_document or should_load(request.resource_type, request.url, self._hosts, is_wide=is_wide):
            await route.continue_()
            return
        self._is_withheld |= request.resource_type == "script"
        await route.abort()

    def _received_elements(self, written: Iterable[str]) -> Iterator[list[dict[str, str]]]:
        """The elements of each document as it was received, and of each that the page has *written* itself."""
        for frame in (self._page.main_frame, *self._site_frames()):
            yield self._documents.elements(frame)
        for html in written:
            yield elements_in(html, _ATTRIBUTES)

    async def _snapshot_frame(self, frame: Frame) -> dict[str, Any]:
        return await _read(frame, page_script.SNAPSHOT, _SNAPSHOT_ARGUMENTS)

    def _site_frames(self) -> list[Frame]:
        """The frames of the page's own site, and those whose document it wrote itself."""
        host = urlsplit(self._page.url).hostname or ""
        inner = [frame for frame in self._page.frames if frame.parent_frame is not None and not frame.is_detached()]
        return [
            frame
            for frame in inner
            if frame.url in WRITTEN_FRAMES or is_same_site(host, urlsplit(frame.url).hostname or "")
        ][:MAX_FRAMES]

    @errors_logged()
    def _on_request(self, request: Request) -> None:
        is_plugins = any(plugin.request_mark in request.url for plugin in PLUGINS)
        if self._is_document(request):
            self._hosts.add(urlsplit(request.url).hostname or "")
        elif is_plugins and len(self._requests) < MAX_OBSERVED:
            self._requests[request] = 0
        self._documents.on_request(request)

    @errors_logged()
    def _on_response(self, response: Response) -> None:
        if self._is_document(response.request):
            self._document = response
            self._loads += "location" not in response.headers
        elif response.request in self._requests:
            self._requests[response.request] = response.status

    def _is_document(self, request: Request) -> bool:
        """Whether this is a navigation of the main frame."""
        try:
            return request.is_navigation_request() and request.frame == self._page.main_frame
        except Error:  # a window that was just opened has no frame yet
            return False


async def _read(frame: Frame, script: str, argument: Any) -> dict[str, Any]:
    """The object that *script* gives in *frame*. Raises `PageFailed` where it gives none."""
    found = await call(frame.evaluate(script, argument))
    if not isinstance(found, dict):
        raise PageFailed("the page's own scripts have replaced what it takes to read it")
    return found


async def _type_into(frame: Frame, text: str, *, mark: str, opener: str, timeout: float) -> bool:
    """As `harvester.visit.tab.Tab.type_message`, in one frame."""
    button = frame.locator(opener).first
    box = frame.locator(page_script.message_field_selector(mark)).filter(visible=True).first
    fields, buttons = await call(box.count()), await call(button.count())
    if not fields and buttons:
        await user_action("button", button.click(timeout=timeout * 1000))
        fields = await call(box.count())
    if not fields:
        return False
    await user_action("field", box.fill(text, timeout=timeout * 1000))
    await user_action("field", box.press("Enter", timeout=timeout * 1000))
    return True
