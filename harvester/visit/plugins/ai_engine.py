"""AI Engine: its chats in a page, and the session that the site starts for a guest."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from harvester.job import Job
from harvester.visit.addresses import own_address
from harvester.visit.caches import afresh
from harvester.visit.errors import PageFailed, VisitFailed
from harvester.visit.plugins import interface
from harvester.visit.tab import POLL_SECONDS, Snapshot, Tab
from shared.models import AI_ENGINE, Cause, Outcome
from shared.plugins.ai_engine.page import PARAMS, SYSTEM, PageChats, chats_in, has_agreed, nonce_in, read_chats
from shared.plugins.ai_engine.routes import error_code, lacks_route
from shared.plugins.ai_engine.session import probe_request, read_session, session_request, takes_nonce

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
    fleeting = attributes
    storage_prefix = "mwai-"
    request_mark = "/mwai"
    absence = "AI Engine: Chatbot '"

    def is_readable(self, page: Snapshot) -> bool:
        return read_chats(page.configs) is not None

    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        return {}  # the guest is known by a cookie

    def chat(self, tab: Tab, page: Snapshot, job: Job) -> interface.Chat:
        return _Chat(tab, page, job)


class _Chat:
    """As `interface.Chat`."""

    def __init__(self, tab: Tab, page: Snapshot, job: Job) -> None:
        self._tab = tab
        self._page = page
        self._job = job
        self._chats: PageChats  # set by `read`
        self._rest_url = ""

    async def read(self) -> None:
        """What the page tells: the configuration is all there is, and nothing needs to be typed."""
        chats = read_chats(self._page.configs)
        self._rest_url = own_address(self._page.url, chats.rest_url) if chats else ""
        if chats is None or not chats.bots or not self._rest_url:
            what = "the page does not say how to use it" if chats is None or chats.bots else "it is for no text"
            reason = f"{self._page.url} has a chat field, but {what}"
            raise VisitFailed(Outcome.NO_CHAT, Cause.UNREADABLE_CHAT, reason)
        self._chats = chats
        if any(bot.custom_key for bot in chats.bots):
            await self._show_anew()
        if any(bot.consent_required for bot in self._chats.bots) and await self._has_agreed():
            bots = (replace(bot, consent_required=False) for bot in self._chats.bots)
            self._chats = replace(self._chats, bots=tuple(bots))

    async def confirm(self) -> interface.Reading:
        """What the site hands out now, whatever the page says: that may be kept since somebody else looked at it."""
        status, body = await interface.asked(self._tab, session_request(self._rest_url))
        session = read_session(status, body)
        if session is not None:
            return self._reading(session.nonce, session.session_id)
        if lacks_route(status, body):
            return self._reading(await self._written_nonce(), "")
        interface.refuse_check(status, body, "REST API")
        raise _refused(status, body)

    async def _has_agreed(self) -> bool:
        """Whether the guest has a cookie of his consent, which is never given here: a page may go on asking him."""
        deadline = time.monotonic() + self._job.limits.consent
        agreed = has_agreed(await self._tab.cookie_header(self._rest_url))
        if not agreed and self._job.limits.consent:
            log.info("the chat asks its visitors to agree; %g s for a person to do so", self._job.limits.consent)
        while not agreed and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            agreed = has_agreed(await self._tab.cookie_header(self._rest_url))
        return agreed

    async def _show_anew(self) -> None:
        """Have the site make the page, so that it knows its chats' own settings: a day later it forgets them, while a
        cache goes on showing their names, which it need not say."""
        try:
            status, body = await self._tab.get(afresh(self._page.url), timeout=interface.ANSWER_SECONDS)
        except (PageFailed, TimeoutError) as error:
            log.warning("the page, made anew to revive its chats' own settings, cannot be had: %s", error)
            return
        shown = chats_in(body) if status == 200 else None
        if shown is not None:  # without those that frames and scripts bring
            bots = {bot.id: bot for bot in (*self._chats.bots, *shown.bots)}
            self._chats = replace(self._chats, bots=tuple(bots.values()))

    def _reading(self, nonce: str, session_id: str) -> interface.Reading:
        return interface.Reading(
            ajax_url=self._rest_url,
            nonce=nonce,
            session_id=session_id,
            post_id=self._chats.context_id,
            bots=self._chats.bots,
        )

    async def _written_nonce(self) -> str:
        """The nonce that older plugins write into the page, or that of the page as it is now."""
        nonce = self._chats.nonce
        if not nonce:
            raise VisitFailed(Outcome.SITE_ERROR, Cause.NO_SESSION, _NO_ROUTE)
        if await self._is_taken(nonce) is not False:
            return nonce
        if fresh := await interface.fresh_nonce(self._past_cache(), nonce_in, self._is_taken):
            return fresh
        raise interface.stale("AI Engine before 2.4.4")

    async def _is_taken(self, nonce: str) -> bool | None:
        """Whether the site takes *nonce*, which it is asked without a message; None where it does not say."""
        bot = self._chats.bots[0]
        probe = probe_request(self._rest_url, nonce, key=bot.key, custom_key=bot.custom_key)
        return await interface.proves(self._tab, probe, takes_nonce)

    async def _past_cache(self) -> AsyncIterator[bytes]:
        """The page as it is now."""
        yield await interface.got(self._tab, afresh(self._page.url))
        for kind in ("pages", "posts") if self._chats.context_id else ():
            yield await interface.got(self._tab, f"{self._rest_url}/wp/v2/{kind}/{self._chats.context_id}")


def _refused(status: int, body: bytes) -> VisitFailed:
    """Why a guest gets no session."""
    code = error_code(body)
    said = f"HTTP {status}{f' ({code[:60]})' if code else ''}"
    why = "; something on it closes WordPress' REST API to guests, whom the chat needs it for" if code else ""
    reason = f"the site starts no session for a guest: {said}{why}"
    return VisitFailed(Outcome.SITE_ERROR, Cause.NO_SESSION, reason)
