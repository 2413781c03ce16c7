"""What a visit needs of a browser's tab. `chromium.py` has the real one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from harvester.visit.addresses import Link
from harvester.visit.requests import Request
from shared.plugins.requests import PluginRequest

POLL_SECONDS = 0.05  # between two snapshots
RETRY_SECONDS = 1.0  # before a request is repeated


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the tab shows at one moment, its own frames and open shadow roots included."""

    url: str
    status: int  # of the document; 0: none came yet
    headers: dict[str, str]  # of the document, names in lower case
    loads: int  # documents that came since the address was opened, redirects aside
    ready: bool  # the whole document has come
    title: str
    configs: list[dict[str, str]]  # for each element with some of the plugins' attributes: these and its class, in the
    # page's order; what a script took away is here as the document had it, after what is still there
    links: list[Link]
    resources: list[str]  # addresses of scripts and frames
    frames: list[str]  # addresses of the page's frames, also of those that are still to be loaded
    refreshes: list[str]  # `Refresh` header and `<meta http-equiv="refresh">`: where the page leads by itself
    scripts: int
    stored: dict[str, str]  # the plugins' part of the local storage
    fields: list[str]  # the marks of the plugins to whose chat the page has a field to type a message in
    withheld: bool  # scripts of other hosts were not loaded


@dataclass(frozen=True, slots=True)
class Signs:
    """What may tell why a page shows no chat."""

    text: str  # what can be read on it
    buttons: list[str]  # what those that can be clicked say
    asks_password: bool  # there is a field for one, and it can be seen
    older: str = ""  # the name of an older plugin whose chat it has


class Tab(Protocol):
    """The tab of a visit. All methods raise `BrowserFailed` when the browser is gone; times are in seconds."""

    async def go(self, url: str, *, timeout: float) -> None:
        """Begin to show *url*; returns when the page begins to come. Raises `PageFailed` and TimeoutError."""

    async def snapshot(self) -> Snapshot:
        """What the tab shows now. Raises `NotNow`. A page whose script never ends keeps this waiting."""

    async def signs(self) -> Signs:
        """More of what the tab shows now. Raises `NotNow`."""

    async def scroll(self) -> bool:
        """Go down by one screen, as a reader does; from the end back to the top, and False. Raises `NotNow`."""

    def widen(self) -> None:
        """From now on load the scripts of other hosts as well."""

    async def user_agent(self) -> str:
        """The browser's own User-Agent."""

    async def keep(self, items: Mapping[str, str]) -> None:
        """Put *items* into the page's local storage, unless it has others under these keys."""

    async def cookie_header(self, url: str) -> str:
        """The Cookie header that the browser sends to *url*: names and values verbatim, in its order; may be ""."""

    async def identity(self) -> str:
        """Playwright's storage_state as JSON: all cookies, also those of the session, and all local storage."""

    async def post(self, request: PluginRequest, *, timeout: float) -> tuple[int, bytes]:
        """Post with the browser's cookies and User-Agent; status and body. Raises `PageFailed` and TimeoutError."""

    async def get(self, url: str, *, timeout: float) -> tuple[int, bytes]:
        """As `post`, for an address that is only read."""

    async def type_message(self, text: str, *, mark: str, opener: str, timeout: float) -> bool:
        """Type *text* into the chat and press Enter; False if the page has no field that can be seen.

        *mark*: of the chat's plugin. *opener*: selector of a button that shows the field. Raises `PageFailed` where
        something keeps a click or the text from its field.
        """

    def requests(self) -> list[Request]:
        """The requests of the plugins' own scripts so far, in their order."""

    async def screenshot(self) -> bytes | None:
        """A picture (PNG) of the tab, None where none can be had."""
