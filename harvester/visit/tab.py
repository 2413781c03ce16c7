"""What a visit needs of a browser's tab. `browser.py` is the real one; nothing else knows Playwright."""

from dataclasses import dataclass
from typing import Protocol

from harvester.visit.addresses import Link
from harvester.visit.requests import Observed


class BrowserFailed(Exception):
    """The browser did not start, crashed or was ended. `is_passing`: trying once more at once may help."""

    def __init__(self, reason: str, *, is_passing: bool = True) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


class PageFailed(Exception):
    """An address gave nothing. `is_passing`: trying once more at once may help."""

    def __init__(self, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


class NotNow(Exception):
    """The page was just changing; the next look may succeed."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the tab shows at one moment."""

    url: str
    status: int  # of the document; 0: none came yet
    headers: dict[str, str]  # of the document, names in lower case
    loads: int  # documents that came since the address was opened, redirects aside
    ready: bool  # the whole document has come
    title: str
    configs: list[str]  # `data-config` attributes, in the page's order, then those in its frames
    links: list[Link]
    resources: list[str]  # addresses of scripts and frames
    frames: list[str]  # addresses of the page's frames, also of those that are still to be loaded
    refreshes: list[str]  # `Refresh` header and `<meta http-equiv="refresh">`: where the page leads by itself
    scripts: int
    stored: dict[str, str]  # the plugin's part of the local storage
    box: bool  # there is a field to type a message to the plugin's chat in
    withheld: bool  # scripts of other hosts were not loaded


@dataclass(frozen=True, slots=True)
class Signs:
    """What may tell why a page shows no chat."""

    text: str  # what can be read on it
    buttons: list[str]  # what those that can be clicked say
    asks_password: bool  # there is a field for one, and it can be seen


class Tab(Protocol):
    """The tab of a visit. All methods raise `BrowserFailed` when the browser is gone; times are in seconds."""

    async def go(self, url: str, *, timeout: float) -> None:
        """Begin to show *url*; returns when the page begins to come. Raises `PageFailed` and TimeoutError."""

    async def look(self) -> Look:
        """What the tab shows now, its own frames and open shadow roots included. Raises `NotNow`.

        A page whose script never ends keeps this waiting.
        """

    async def signs(self) -> Signs:
        """More of what the tab shows now. Raises `NotNow`."""

    async def scroll(self) -> bool:
        """Go down by one screen, as a reader does; from the end back to the top, and False. Raises `NotNow`."""

    def widen(self) -> None:
        """From now on load the scripts of other hosts as well."""

    async def user_agent(self) -> str:
        """The browser's own User-Agent."""

    async def keep_guest_id(self, session_id: str) -> None:
        """Put *session_id* where the page's script keeps it."""

    async def cookie_header(self, url: str) -> str:
        """The Cookie header that the browser sends to *url*: names and values verbatim, in its order; may be ""."""

    async def identity(self) -> str:
        """Playwright's storage_state as JSON: all cookies, also those of the session, and all local storage."""

    async def post_form(self, url: str, form: dict[str, str], *, timeout: float) -> tuple[int, bytes]:
        """Post with the browser's cookies and User-Agent; status and body. Raises `PageFailed` and TimeoutError."""

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        """As `post_form`, for an address that is only read."""

    async def type_message(self, text: str, *, timeout: float) -> bool:
        """Type *text* into the chat and press Enter; False if the page has no field that can be seen.

        Raises `PageFailed` where something keeps a click or the text from its field.
        """

    def observed(self) -> list[Observed]:
        """The chat's own requests so far, in their order."""

    async def screenshot(self) -> bytes | None:
        """A picture (PNG) of the tab, None where none can be had."""
