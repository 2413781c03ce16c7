"""AIPKit: its chat in a page, its guest id, and a nonce that the site takes (PROTOCOL 2 to 5, 13 and 14)."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from harvester.job import Job
from harvester.visit.addresses import url_on_site
from harvester.visit.caches import cache_busting, is_from_cache, rest_roots, rest_routes
from harvester.visit.errors import Navigating, PageFailed, VisitFailed
from harvester.visit.obstacles import older_chat
from harvester.visit.plugins import interface
from harvester.visit.requests import PageRequest
from harvester.visit.tab import POLL_SECONDS, Snapshot, Tab
from shared.models import AIPKIT, Bot, Cause
from shared.plugins.aipkit.nonce import nonce_request, read_nonce
from shared.plugins.aipkit.observed_request import AJAX_FILE, AJAX_PATH, ObservedRequest, read_request
from shared.plugins.aipkit.page import (
    CONFIG_ATTRIBUTE,
    GUEST_ID_KEY,
    PageConfig,
    guest_id_in,
    nonce_in,
    read_configs,
    rest_root_in,
)
from shared.plugins.aipkit.probe import accepts_nonce, probe_request

TYPING_SECONDS = 2.0  # longest wait for a field to take the message
GREETINGS = ("Hi", "Hello", "Good day")
_OPENER = ".aipkit_popup_trigger"
_MAY_BE_STALE = "the site hands out no nonce, and the page's own may be old: the page came from a cache"

log = logging.getLogger(__name__)


class AIPKit(interface.Plugin):
    """As `interface.Plugin`."""

    kind = AIPKIT
    mark = "aipkit"
    attributes = (CONFIG_ATTRIBUTE,)  # page builders take a popup's chat away until a click brings it back
    storage_prefix = "aipkit_"
    request_mark = AJAX_FILE
    older_plugin = (".wpaicg-chat-shortcode, .wpaicg-chatbox", "AI Power, as AIPKit was called before its version 2.3")

    def is_readable(self, page: Snapshot) -> bool:
        return _config(page) is not None

    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        return {GUEST_ID_KEY: session_id}

    def chat(self, tab: Tab, page: Snapshot, job: Job) -> interface.Chat:
        return _Chat(tab, page, job)


@dataclass(frozen=True, slots=True)
class ChatConfig(interface.ChatConfig):
    """The chat's configuration as read so far."""

    greeting: str  # a message that may be typed: no image trigger

    @property
    def is_complete(self) -> bool:
        """Whether only a nonce or a guest id may be missing."""
        return bool(self.ajax_url and self.bots)

    @property
    def needs_consent(self) -> bool:
        """Whether every bot asks for a consent that was not given."""
        return bool(self.bots) and all(bot.consent_required for bot in self.bots)


def read_page(page: Snapshot, observed: Sequence[ObservedRequest]) -> ChatConfig:
    """Merge the page's configuration with the fields of its requests.

    The page wins, except for the nonce: one that the site has accepted is better than the one in the page.
    """
    config = _config(page)
    proven = [request for request in observed if request.proves_nonce]
    ajax_url = next((request.ajax_url for request in observed), "")
    bot_ids = dict.fromkeys(request.bot_id for request in observed if request.bot_id)
    return ChatConfig(
        ajax_url=config.ajax_url if config else url_on_site(page.url, ajax_url),
        nonce=(
            next((request.nonce for request in reversed(proven)), "")
            or (config.nonce if config else "")
            or next((request.nonce for request in observed if request.nonce), "")
        ),
        session_id=guest_id_in(page.stored)
        or next((request.session_id for request in observed if request.session_id), ""),
        post_id=config.post_id if config else next((request.post_id for request in observed if request.post_id), 0),
        bots=config.bots if config else tuple(Bot(id=number, name="") for number in bot_ids),
        greeting=_greeting(config.image_triggers if config else ()),
    )


def observed_in(requests: Iterable[PageRequest]) -> list[ObservedRequest]:
    """Parse those of *requests* that are the chat's."""
    found = []
    for request in requests:
        try:
            observed = read_request(request.address, request.form(), request.status)
        except ValueError:  # no address, or more fields than any chat sends
            continue
        found += [observed] if observed else []
    return found


def _config(page: Snapshot) -> PageConfig | None:
    """The configuration of the chats of the page's own site."""
    return read_configs(_config_attributes(page), page.stored, partial(url_on_site, page.url))


def _asks_consent(page: Snapshot) -> bool:
    config = _config(page)
    return config is not None and any(bot.consent_required for bot in config.bots)


def _foreign_ajax_url(page: Snapshot) -> str:
    """The `ajaxUrl` of an embedded chat of another site, if the page has no other; else ""."""
    shown = read_configs(_config_attributes(page), {})
    return shown.ajax_url if shown is not None and _config(page) is None else ""


def _config_attributes(page: Snapshot) -> list[str]:
    return [config[CONFIG_ATTRIBUTE] for config in page.configs if CONFIG_ATTRIBUTE in config]


def _greeting(triggers: Sequence[str]) -> str:
    """The first greeting that starts with no image trigger."""
    return next((word for word in GREETINGS if not word.lower().startswith(tuple(triggers))), "")


class _Chat(interface.Chat):
    """As `interface.Chat`."""

    _chat_config: ChatConfig  # set by `read`

    async def read(self) -> None:
        """Read the page and its requests; type a message only if they are not enough."""
        page = await self._settled()
        self._chat_config = read_page(page, self._observed())
        if not self._chat_config.is_complete:
            await self._refuse_unusable(page)
            await self._read_by_typing(page)
        if not self._chat_config.is_complete:
            reason = f"{page.url} has a chat field, but neither the page nor its requests say how to use it"
            raise VisitFailed(Cause.UNREADABLE_CHAT, reason)

    async def _refuse_unusable(self, page: Snapshot) -> None:
        """Raise `VisitFailed` for a chat of another site, or of an older plugin, instead of typing there."""
        if foreign := _foreign_ajax_url(page):
            reason = f"the chat on {page.url} is another site's: {foreign} answers it; name a page of that site"
            raise VisitFailed(Cause.UNREADABLE_CHAT, reason)
        with suppress(Navigating):
            if older := older_chat(await self._tab.details()):
                raise VisitFailed(Cause.NO_CHAT, f"no chat on {page.url}: {older}")

    async def confirm(self) -> ChatConfig:
        """Fetch the current nonce from the site, which is the safest.

        If there is none, use the page's nonce if the site has accepted it, or accepts it now: the page may come from a
        cache, even if its headers do not show it. Else try the uncached page. Only if that is not conclusive, a typed
        message decides.
        """
        nonce = await self._fetched_nonce() or await self._proven_nonce()
        # The guest id stays the same, also where the page forgets it or creates a new one for each visit.
        session_id = (
            guest_id_in(self._page.stored) or self._job.session_id or self._chat_config.session_id or str(uuid4())
        )
        return replace(self._chat_config, nonce=nonce, session_id=session_id)

    async def _fetched_nonce(self) -> str | None:
        """The nonce that the site hands out to this guest; None if none."""
        try:
            answer = await interface.post_with_retry(self._tab, nonce_request(self._chat_config.ajax_url))
        except (PageFailed, TimeoutError):
            return None
        interface.raise_for_bot_check(*answer, "admin-ajax.php")
        return read_nonce(*answer)

    async def _proven_nonce(self) -> str:
        page_nonce = self._chat_config.nonce
        if self._is_proven():
            return page_nonce
        is_accepted = await self._is_accepted(page_nonce) if page_nonce else None
        if is_accepted:
            return page_nonce
        find_nonce = partial(nonce_in, resolve_url=partial(url_on_site, self._page.url))
        if is_accepted is False and (
            nonce := await interface.fresh_nonce(self._uncached_pages(), find_nonce, self._is_accepted)
        ):
            return nonce
        if is_accepted is None and page_nonce and not is_from_cache(self._page.headers):
            return page_nonce
        await self._read_by_typing(self._page)
        if not self._is_proven():
            if is_accepted is False:
                raise interface.stale_nonce("older than 2.3.41")
            raise VisitFailed(Cause.OLD_NONCE, _MAY_BE_STALE)
        return self._chat_config.nonce

    async def _is_accepted(self, nonce: str) -> bool | None:
        """Whether the site accepts *nonce*, by a probe without a message; None where the answer does not show it."""
        return await interface.is_nonce_accepted(
            self._tab, probe_request(self._chat_config.ajax_url, nonce), accepts_nonce
        )

    async def _uncached_pages(self) -> AsyncIterator[bytes]:
        """Yield uncached copies of the page, from the site and from core REST."""
        now = await interface.get_body(self._tab, cache_busting(self._page.url))
        yield now
        for url in self._rest_urls(rest_root_in(now)):
            yield await interface.get_body(self._tab, url)

    def _rest_urls(self, root: str) -> Iterator[str]:
        """Core REST URLs of the page. *root*: the REST root that the page links to, or ""."""
        page_url, config = self._page.url, self._chat_config
        site_url, has_path, _ = config.ajax_url.partition("?")[0].rpartition(AJAX_PATH)
        if linked_root := url_on_site(page_url, root):
            roots: Sequence[str] = (linked_root,)
        else:
            roots = rest_roots(site_url) if has_path else ()
        for rest_root in roots:
            yield from rest_routes(rest_root, page_url, config.post_id)

    async def _settled(self) -> Snapshot:
        """Wait for the guest id and, in a window, for a person's consent; returns the page then."""
        page, limits, started = self._page, self._job.limits, time.monotonic()
        if limits.consent and _asks_consent(page):
            log.info("the chat asks its visitors to agree; %g s for a person to do so", limits.consent)
        while True:
            waited = time.monotonic() - started
            lacks_id = waited < limits.guest_id and not guest_id_in(page.stored)
            lacks_consent = waited < limits.consent and _asks_consent(page)
            if not lacks_id and not lacks_consent:
                return page
            await asyncio.sleep(POLL_SECONDS)
            with suppress(Navigating):
                snapshot = await self._tab.snapshot()
                is_terms_page = lacks_consent and _config(snapshot) is None  # which a person may read first
                if not is_terms_page:
                    page = snapshot

    async def _read_by_typing(self, page: Snapshot) -> None:
        """Type one short message and read the requests that follow, until they are complete or the time is over.

        Consent is never given here: a chat that asks for it gets no message.
        """
        greeting = "" if self._chat_config.needs_consent else self._chat_config.greeting
        if not greeting:
            return
        if not await self._tab.type_message(greeting, mark=AIPKit.mark, opener=_OPENER, timeout=TYPING_SECONDS):
            return
        deadline = time.monotonic() + self._job.limits.typed
        while time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            self._chat_config = read_page(page, self._observed())
            if self._chat_config.is_complete and self._chat_config.session_id and self._is_proven():
                break

    def _observed(self) -> list[ObservedRequest]:
        return observed_in(self._tab.requests())

    def _is_proven(self) -> bool:
        return any(one.proves_nonce for one in self._observed())
