"""The interface of a chat plugin for visits, and helpers for its implementations."""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from harvester.job import Job
from harvester.visit.errors import BY_HAND, PageFailed, VisitFailed
from harvester.visit.tab import RETRY_SECONDS, Snapshot, Tab
from shared.models import Bot, Cause
from shared.plugins import bot_checks
from shared.plugins.requests import PluginRequest

ANSWER_SECONDS = 8.0  # longest wait for one answer of the site

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChatConfig:
    """The configuration of a chat; empty values are unknown."""

    ajax_url: str  # where its requests go
    nonce: str
    session_id: str
    post_id: int
    bots: tuple[Bot, ...]


class Chat(ABC):
    """The chat of a page that is open. Both methods raise `VisitFailed`, TimeoutError and what `Tab` raises."""

    def __init__(self, tab: Tab, page: Snapshot, job: Job) -> None:
        self._tab = tab
        self._page = page
        self._job = job

    @abstractmethod
    async def read(self) -> None:
        """Read the configuration from the page and its requests."""

    @abstractmethod
    async def confirm(self) -> ChatConfig:
        """The configuration, with a valid nonce and session id."""


class Plugin(ABC):
    """One kind of chat plugin."""

    kind: str  # its name in `Credentials.plugin`
    mark: str  # a word in the classes or ids of its HTML, which other plugins do not have
    attributes: tuple[str, ...]  # those that hold its configuration, also once a script has removed them from the page
    storage_prefix: str  # of its local storage keys
    request_mark: str  # a substring of the URLs of its requests
    older_plugin: tuple[str, str] = ("", "")  # a selector of an older plugin's chat, and that plugin's name
    missing_chat_text: str = ""  # start of the text that it shows in place of a missing chat

    @abstractmethod
    def is_readable(self, page: Snapshot) -> bool:
        """Whether the page contains the configuration of a chat."""

    @abstractmethod
    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        """The local storage items of a guest with *session_id*."""

    @abstractmethod
    def chat(self, tab: Tab, page: Snapshot, job: Job) -> Chat:
        """The chat of *page*, which is open in *tab*."""


async def post_with_retry(tab: Tab, request: PluginRequest) -> tuple[int, bytes]:
    """Send *request*, with one retry; returns status and body. Raises as `Tab.post`."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(PageFailed),
        stop=stop_after_attempt(2),
        wait=wait_fixed(RETRY_SECONDS),
        reraise=True,
    )
    response: tuple[int, bytes] = await retrying(tab.post, request, timeout=ANSWER_SECONDS)
    return response


async def is_nonce_accepted(
    tab: Tab, probe: PluginRequest, accepts_nonce: Callable[[bytes], bool | None]
) -> bool | None:
    """Whether the site accepts the nonce in *probe*, as *accepts_nonce* reads from the body; None: unknown."""
    try:
        _, body = await post_with_retry(tab, probe)
    except (PageFailed, TimeoutError):
        return None
    return accepts_nonce(body)


async def get_body(tab: Tab, url: str) -> bytes:
    """The body at *url*; b"" unless its status is 200."""
    try:
        status, body = await tab.get(url, timeout=ANSWER_SECONDS)
    except (PageFailed, TimeoutError):
        return b""
    return body if status == 200 else b""


async def fresh_nonce(
    bodies: AsyncIterator[bytes], nonce_in: Callable[[bytes], str], is_accepted: Callable[[str], Awaitable[bool | None]]
) -> str | None:
    """The first nonce in the uncached *bodies* that the site accepts; None if none."""
    async for body in bodies:
        if (nonce := nonce_in(body)) and await is_accepted(nonce):
            log.info("the page's nonce came out of a cache; a fresh one was found past it")
            return nonce
    return None


def raise_for_bot_check(status: int, body: bytes, what: str) -> None:
    """Raise `VisitFailed` if a response is a bot check. *what*: the part of the site, for the message."""
    if bot_checks.by_page(status, body):
        reason = f"a bot check stands before the site's {what}; a person may pass it with {BY_HAND}"
        raise VisitFailed(Cause.CHECK, reason)


def stale_nonce(plugin: str) -> VisitFailed:
    """The error where no valid nonce can be found. *plugin*: the versions that have it only in the page."""
    reason = (
        "the site refuses the nonce in its own page, which a page cache has kept too long. Its plugin "
        f"({plugin}) hands out none, and neither the page past the cache nor core REST has a fresh one; only the "
        "site's operator can mend that: by an update of the plugin, or by leaving the page out of the cache"
    )
    return VisitFailed(Cause.OLD_NONCE, reason)
