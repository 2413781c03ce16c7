"""The interface of a chat plugin: what tells it in a page, and what a visit reads and asks where its chat is."""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from harvester.job import Job
from harvester.visit.errors import PageFailed, VisitFailed
from harvester.visit.tab import RETRY_SECONDS, Snapshot, Tab
from shared.models import Bot, Cause, Outcome
from shared.plugins import bot_checks
from shared.plugins.requests import PluginRequest

ANSWER_SECONDS = 8.0  # longest wait for one answer of the site

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a chat told; empty values are not known."""

    ajax_url: str  # where its requests go
    nonce: str
    session_id: str
    post_id: int
    bots: tuple[Bot, ...]


class Chat(Protocol):
    """The chat of one page. Both methods raise `VisitFailed`, TimeoutError and what `Tab` raises."""

    async def read(self) -> None:
        """Read what the page and its requests tell."""

    async def confirm(self) -> Reading:
        """What was read, with a nonce that the site stands by and a session id that it takes."""


class Plugin(ABC):
    """One kind of chat plugin."""

    kind: str  # its name in `Credentials.plugin`
    mark: str  # what the HTML around its chat holds; tells it from other plugins
    attributes: tuple[str, ...]  # of elements: where it writes its configuration
    fleeting: tuple[str, ...] = ()  # of these: what a script may take away, so that only the document's own HTML has it
    storage_prefix: str  # of its keys in the local storage
    request_mark: str  # what the addresses of its requests hold
    forerunner: tuple[str, str] = ("", "")  # what only the chat of an older plugin has (a selector), and its name
    absence: str = ""  # how the text begins that it shows in place of a chat which its site does not have

    @abstractmethod
    def is_readable(self, page: Snapshot) -> bool:
        """Whether the page holds the configuration of a chat."""

    @abstractmethod
    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        """What the local storage of a guest with *session_id* holds."""

    @abstractmethod
    def chat(self, tab: Tab, page: Snapshot, job: Job) -> Chat:
        """The chat of *page*, which the *tab* shows."""


async def asked(tab: Tab, request: PluginRequest) -> tuple[int, bytes]:
    """Status and body of the answer to *request*, made once more where it failed. Raises as `Tab.post`."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(PageFailed),
        stop=stop_after_attempt(2),
        wait=wait_fixed(RETRY_SECONDS),
        reraise=True,
    )
    answer: tuple[int, bytes] = await retrying(tab.post, request, timeout=ANSWER_SECONDS)
    return answer


async def proves(tab: Tab, probe: PluginRequest, takes_nonce: Callable[[bytes], bool | None]) -> bool | None:
    """Whether the site takes the nonce in *probe*, by what *takes_nonce* reads in the answer; None: it does not say."""
    try:
        _, body = await asked(tab, probe)
    except (PageFailed, TimeoutError):
        return None
    return takes_nonce(body)


async def got(tab: Tab, url: str) -> bytes:
    """What is at *url*; nothing where that is no page."""
    try:
        status, body = await tab.get(url, timeout=ANSWER_SECONDS)
    except (PageFailed, TimeoutError):
        return b""
    return body if status == 200 else b""


async def fresh_nonce(
    bodies: AsyncIterator[bytes], nonce_in: Callable[[bytes], str], is_taken: Callable[[str], Awaitable[bool | None]]
) -> str | None:
    """The first nonce in *bodies*, which came past a cache, that the site takes; None where there is none."""
    async for body in bodies:
        if (nonce := nonce_in(body)) and await is_taken(nonce):
            log.info("the page's nonce came out of a cache; a fresh one was found past it")
            return nonce
    return None


def refuse_check(status: int, body: bytes, what: str) -> None:
    """Raise `VisitFailed` where an answer is the page of a bot check. *what*: of the site was asked."""
    if bot_checks.by_page(status, body):
        reason = f"a bot check stands before the site's {what}; a person may pass it with `freeaichat harvest --headed`"
        raise VisitFailed(Outcome.CHALLENGE, Cause.CHECK, reason, is_final=True)


def stale(plugin: str) -> VisitFailed:
    """That no nonce can be had that the site takes. *plugin*: the versions that write it into the page alone."""
    reason = (
        "the site refuses the nonce in its own page, which a page cache has kept too long. Its plugin "
        f"({plugin}) hands out none, and neither the page past the cache nor core REST has a fresh one; only the "
        "site's operator can mend that: by an update of the plugin, or by leaving the page out of the cache"
    )
    return VisitFailed(Outcome.SITE_ERROR, Cause.OLD_NONCE, reason)
