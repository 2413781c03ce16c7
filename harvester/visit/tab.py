"""The interface of a browser tab for a visit. `chromium.py` implements it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from harvester.visit.addresses import Link
from harvester.visit.requests import PageRequest
from shared.plugins.requests import PluginRequest

POLL_SECONDS = 0.05  # between two snapshots
RETRY_SECONDS = 1.0  # before a request is repeated


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the tab at one moment, with the site's own frames and open shadow roots."""

    url: str
    status: int  # of the document; 0: none yet
    headers: dict[str, str]  # of the document, names in lower case
    loads: int  # documents loaded since the URL was opened, without redirects
    ready: bool  # the document is complete
    title: str
    configs: list[dict[str, str]]  # for each element with some of the plugins' attributes: these and its class, in the
    # page's order; then those that a script has removed, as the document had them
    links: list[Link]
    resources: list[str]  # URLs of scripts and frames
    frames: list[str]  # URLs of the page's frames, also of lazy ones
    refreshes: list[str]  # `Refresh` header and `<meta http-equiv="refresh">`: targets of refreshes
    scripts: int
    stored: dict[str, str]  # the plugins' part of the local storage
    fields: list[str]  # the marks of the plugins whose message field the page has
    is_blocked: bool  # there is an element of a firewall's page of refusal
    withheld: bool  # scripts of other hosts were not loaded


@dataclass(frozen=True, slots=True)
class PageDetails:
    """Details of a page that may explain why it has no chat."""

    text: str  # the visible text
    buttons: list[str]  # the labels of clickable elements
    asks_password: bool  # there is a visible password field
    older: str = ""  # the name of an older plugin whose chat the page has


class Tab(Protocol):
    """The tab of a visit. All methods raise `BrowserFailed` when the browser is gone; times are in seconds."""

    async def go(self, url: str, *, timeout: float) -> None:
        """Navigate to *url*; returns when the response starts. Raises `PageFailed` and TimeoutError."""

    async def snapshot(self) -> Snapshot:
        """Take a snapshot. Raises `Navigating`. Blocks while a script of the page does not end."""

    async def details(self) -> PageDetails:
        """Take the details of the page. Raises `Navigating`."""

    async def scroll(self) -> bool:
        """Scroll down by one screen; at the end scroll to the top and return False. Raises `Navigating`."""

    def allow_third_party(self) -> None:
        """Load the scripts of other hosts from now on."""

    async def user_agent(self) -> str:
        """The browser's User-Agent."""

    async def set_storage(self, items: Mapping[str, str]) -> None:
        """Set *items* in the page's local storage, except for keys that it has."""

    async def cookie_header(self, url: str) -> str:
        """The Cookie header that the browser sends to *url*: names and values verbatim, in its order; may be ""."""

    async def identity(self) -> str:
        """Playwright's storage_state as JSON: all cookies, also those of the session, and all local storage."""

    async def post(self, request: PluginRequest, *, timeout: float) -> tuple[int, bytes]:
        """Post with the browser's cookies and User-Agent; returns status and body. Raises as `go`."""

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        """As `post`, for a GET."""

    async def type_message(self, text: str, *, mark: str, opener: str, timeout: float) -> bool:
        """Type *text* into the chat and press Enter; False if the page has no visible field.

        *mark*: of the chat's plugin. *opener*: selector of a button that shows the field. Raises `PageFailed` where
        the button or the field is not usable.
        """

    def requests(self) -> list[PageRequest]:
        """The requests of the plugins' own scripts so far, in their order."""

    async def screenshot(self) -> bytes | None:
        """A PNG of the tab; None if that fails."""
