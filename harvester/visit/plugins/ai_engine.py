"""AI Engine: its chats in a page, and the session that the site starts for a guest."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial

from harvester.job import Job
from harvester.visit.addresses import url_on_site
from harvester.visit.caches import cache_busting
from harvester.visit.errors import PageFailed, VisitFailed
from harvester.visit.plugins import interface
from harvester.visit.tab import POLL_SECONDS, Snapshot, Tab
from shared.models import AI_ENGINE, Cause
from shared.plugins.ai_engine.page import PARAMS, SYSTEM, PageChats, chats_in, has_agreed, nonce_in, read_chats
from shared.plugins.ai_engine.routes import error_code, lacks_route
from shared.plugins.ai_engine.session import accepts_nonce, probe_request, read_session, session_request

_NO_ROUTE = (
    "the site has no route that starts a session for a guest, and its page holds no nonce: its plugin is off, or "
    "something closes WordPress' REST API to guests, whom the chat needs it for"
)

log = logging.getLogger(__name__)


class AIEngine(interface.Plugin):
    """As `interface.Plugin`."""

    kind = AI_ENGINE
    mark = "mwai"
    attributes = (PARAMS, SYSTEM)
    storage_prefix = "mwai-"
    request_mark = "/mwai"
    missing_chat_text = "AI Engine: Chatbot '"

    def is_readable(self, page: Snapshot) -> bool:
        return _chats(page) is not None

    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        return {}  # the guest is known by a cookie

    def chat(self, tab: Tab, page: Snapshot, job: Job) -> interface.Chat:
        return _Chat(tab, page, job)


def _chats(page: Snapshot) -> PageChats | None:
    """The chats of the page's own site."""
    return read_chats(page.configs, partial(url_on_site, page.url))


class _Chat(interface.Chat):
    """As `interface.Chat`."""

    _chats: PageChats  # set by `read`

    async def read(self) -> None:
        """Read the configuration in the page; nothing is typed."""
        chats = _chats(self._page)
        if chats is None or not chats.bots:
            problem = "the page does not say how to use it" if chats is None else "it is for no text"
            reason = f"{self._page.url} has a chat field, but {problem}"
            raise VisitFailed(Cause.UNREADABLE_CHAT, reason)
        self._chats = chats
        if any(bot.custom_key for bot in chats.bots):
            await self._reload_uncached()
        if any(bot.consent_required for bot in self._chats.bots) and await self._has_agreed():
            bots = (replace(bot, consent_required=False) for bot in self._chats.bots)
            self._chats = replace(self._chats, bots=tuple(bots))

    async def confirm(self) -> interface.ChatConfig:
        """Start a session at the site, as the page may come from a cache."""
        status, body = await interface.post_with_retry(self._tab, session_request(self._chats.rest_url))
        session = read_session(status, body)
        if session is not None:
            return self._chat_config(session.nonce, session.session_id)
        if lacks_route(status, body):
            return self._chat_config(await self._written_nonce(), "")
        interface.raise_for_bot_check(status, body, "REST API")
        raise _refused(status, body)

    async def _has_agreed(self) -> bool:
        """Whether the guest has the consent cookie, which is never set here: a page may go on asking."""
        deadline = time.monotonic() + self._job.limits.consent
        agreed = has_agreed(await self._tab.cookie_header(self._chats.rest_url))
        if not agreed and self._job.limits.consent:
            log.info("the chat asks its visitors to agree; %g s for a person to do so", self._job.limits.consent)
        while not agreed and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            agreed = has_agreed(await self._tab.cookie_header(self._chats.rest_url))
        return agreed

    async def _reload_uncached(self) -> None:
        """Load the page past caches, so that the site stores its chats' custom settings: it forgets them after a day,
        while a cache goes on serving their keys."""
        try:
            status, body = await self._tab.get(cache_busting(self._page.url), timeout=interface.ANSWER_SECONDS)
        except (PageFailed, TimeoutError) as error:
            log.warning("the page, made anew to revive its chats' own settings, cannot be had: %s", error)
            return
        shown = chats_in(body, self._resolve_url) if status == 200 else None
        if shown is not None and shown.rest_url == self._chats.rest_url:  # without those that frames and scripts bring
            bots = {bot.id: bot for bot in (*self._chats.bots, *shown.bots)}
            self._chats = replace(self._chats, bots=tuple(bots.values()))

    def _resolve_url(self, written: str) -> str:
        return url_on_site(self._page.url, written)

    def _chat_config(self, nonce: str, session_id: str) -> interface.ChatConfig:
        return interface.ChatConfig(
            ajax_url=self._chats.rest_url,
            nonce=nonce,
            session_id=session_id,
            post_id=self._chats.context_id,
            bots=self._chats.bots,
        )

    async def _written_nonce(self) -> str:
        """The nonce that older plugins write into the page, from the uncached page if need be."""
        nonce = self._chats.nonce
        if not nonce:
            raise VisitFailed(Cause.NO_SESSION, _NO_ROUTE)
        if await self._is_accepted(nonce) is not False:
            return nonce
        find_nonce = partial(nonce_in, resolve_url=self._resolve_url)
        if fresh := await interface.fresh_nonce(self._uncached_pages(), find_nonce, self._is_accepted):
            return fresh
        raise interface.stale_nonce("AI Engine before 2.4.4")

    async def _is_accepted(self, nonce: str) -> bool | None:
        """Whether the site accepts *nonce*, by a probe without a message; None where the answer does not show it."""
        bot = self._chats.bots[0]
        probe = probe_request(self._chats.rest_url, nonce, key=bot.key, custom_key=bot.custom_key)
        return await interface.is_nonce_accepted(self._tab, probe, accepts_nonce)

    async def _uncached_pages(self) -> AsyncIterator[bytes]:
        """Yield uncached copies of the page, from the site and from core REST."""
        yield await interface.get_body(self._tab, cache_busting(self._page.url))
        for kind in ("pages", "posts") if self._chats.context_id else ():
            yield await interface.get_body(self._tab, f"{self._chats.rest_url}/wp/v2/{kind}/{self._chats.context_id}")


def _refused(status: int, body: bytes) -> VisitFailed:
    """The error for a refused session."""
    code = error_code(body)
    answer = f"HTTP {status}{f' ({code[:60]})' if code else ''}"
    hint = "; something on it closes WordPress' REST API to guests, whom the chat needs it for" if code else ""
    reason = f"the site starts no session for a guest: {answer}{hint}"
    return VisitFailed(Cause.NO_SESSION, reason)
