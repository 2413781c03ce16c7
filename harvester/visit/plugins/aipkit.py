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
from harvester.visit.addresses import own_address
from harvester.visit.caches import afresh, is_from_cache, rest_roots, rest_routes
from harvester.visit.errors import NotNow, PageFailed, VisitFailed
from harvester.visit.obstacles import older_chat
from harvester.visit.plugins import interface
from harvester.visit.requests import Request
from harvester.visit.tab import POLL_SECONDS, Snapshot, Tab
from shared.models import AIPKIT, Bot, Cause, Outcome
from shared.plugins.aipkit.nonce import nonce_request, read_nonce
from shared.plugins.aipkit.observed import AJAX_FILE, AJAX_PATH, Observed, read_request
from shared.plugins.aipkit.page import (
    CONFIG_ATTRIBUTE,
    GUEST_ID_KEY,
    PageConfig,
    guest_id_in,
    nonce_in,
    read_configs,
    rest_root_in,
)
from shared.plugins.aipkit.probe import probe_request, takes_nonce

TYPING_SECONDS = 2.0  # longest wait for a field to take the message
GREETINGS = ("Hi", "Hello", "Good day")
_OPENER = ".aipkit_popup_trigger"
_MAY_BE_STALE = "the site hands out no nonce, and the page's own may be old: the page came from a cache"

log = logging.getLogger(__name__)


class AIPKit(interface.Plugin):
    """As `interface.Plugin`."""

    kind = AIPKIT
    mark = "aipkit"
    attributes = fleeting = (CONFIG_ATTRIBUTE,)  # page builders take a popup's chat away until a click brings it back
    storage_prefix = "aipkit_"
    request_mark = AJAX_FILE
    forerunner = (".wpaicg-chat-shortcode, .wpaicg-chatbox", "AI Power, as AIPKit was called before its version 2.3")

    def is_readable(self, page: Snapshot) -> bool:
        return _config(page) is not None

    def guest_storage(self, session_id: str) -> Mapping[str, str]:
        return {GUEST_ID_KEY: session_id}

    def chat(self, tab: Tab, page: Snapshot, job: Job) -> interface.Chat:
        return _Chat(tab, page, job)


@dataclass(frozen=True, slots=True)
class Reading(interface.Reading):
    """What is known of the chat so far."""

    greeting: str  # a message that may be typed: no image trigger

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing that a nonce and a guest id made by us would not mend."""
        return bool(self.ajax_url and self.bots)

    @property
    def needs_consent(self) -> bool:
        """Whether every bot asks for a consent that only the guest himself may give."""
        return bool(self.bots) and all(bot.consent_required for bot in self.bots)


def read_page(page: Snapshot, observed: Sequence[Observed]) -> Reading:
    """Put together what the page says and what its requests said.

    The page wins, except for the nonce: one that the site was seen to take is better than one that is only written.
    """
    config = _config(page)
    proven = [one for one in observed if one.proves_nonce]
    asked = next((one.ajax_url for one in observed), "")
    bot_ids = dict.fromkeys(one.bot_id for one in observed if one.bot_id)
    return Reading(
        ajax_url=config.ajax_url if config else own_address(page.url, asked),
        nonce=(
            next((one.nonce for one in reversed(proven)), "")
            or (config.nonce if config else "")
            or next((one.nonce for one in observed if one.nonce), "")
        ),
        session_id=guest_id_in(page.stored) or next((one.session_id for one in observed if one.session_id), ""),
        post_id=config.post_id if config else next((one.post_id for one in observed if one.post_id), 0),
        bots=config.bots if config else tuple(Bot(id=number, name="") for number in bot_ids),
        greeting=_greeting(config.image_triggers if config else ()),
    )


def observed_in(requests: Iterable[Request]) -> list[Observed]:
    """What those of *requests* told that are the chat's."""
    found = []
    for request in requests:
        try:
            told = read_request(request.address, request.form(), request.status)
        except ValueError:  # no address, or more fields than any chat sends
            continue
        found += [told] if told else []
    return found


def _config(page: Snapshot) -> PageConfig | None:
    """What the chats of the page's own site say."""
    return read_configs(_written(page), page.stored, partial(own_address, page.url))


def _asks_consent(page: Snapshot) -> bool:
    config = _config(page)
    return config is not None and any(bot.consent_required for bot in config.bots)


def _foreign(page: Snapshot) -> str:
    """The address of the chat that the page shows, where it has only one of another site; else ""."""
    shown = read_configs(_written(page), {})
    return shown.ajax_url if shown is not None and _config(page) is None else ""


def _written(page: Snapshot) -> list[str]:
    return [config[CONFIG_ATTRIBUTE] for config in page.configs if CONFIG_ATTRIBUTE in config]


def _greeting(triggers: Sequence[str]) -> str:
    """The first greeting that no trigger begins."""
    return next((word for word in GREETINGS if not word.lower().startswith(tuple(triggers))), "")


class _Chat:
    """As `interface.Chat`."""

    def __init__(self, tab: Tab, page: Snapshot, job: Job) -> None:
        self._tab = tab
        self._page = page
        self._job = job
        self._reading: Reading  # set by `read`

    async def read(self) -> None:
        """All that the page and its requests tell; a message is typed only where that is not enough."""
        page = await self._settled()
        self._reading = read_page(page, self._observed())
        if not self._reading.is_complete:
            await self._refuse_unusable(page)
            await self._read_by_typing(page)
        if not self._reading.is_complete:
            reason = f"{page.url} has a chat field, but neither the page nor its requests say how to use it"
            raise VisitFailed(Outcome.NO_CHAT, Cause.UNREADABLE_CHAT, reason)

    async def _refuse_unusable(self, page: Snapshot) -> None:
        """Raise `VisitFailed` for a chat of another site, or of an older plugin: nothing is typed there."""
        if foreign := _foreign(page):
            reason = f"the chat on {page.url} is another site's: {foreign} answers it; name a page of that site"
            raise VisitFailed(Outcome.NO_CHAT, Cause.UNREADABLE_CHAT, reason)
        with suppress(NotNow):
            if older := older_chat(await self._tab.signs()):
                raise VisitFailed(Outcome.NO_CHAT, Cause.NO_CHAT, f"no chat on {page.url}: {older}")

    async def confirm(self) -> Reading:
        """What the site hands out now is the surest nonce.

        Where it hands out none, the page's is good if the site was seen to take it, or takes it now: the page may
        have come out of a cache, whether or not its headers say so. If it does not, the same page past the cache may
        have a better one. Only what is still open then is tried out with a typed message.
        """
        nonce = await self._given_nonce() or await self._proven_nonce()
        # The guest stays who he is, also where the page forgets him or thinks of a new id for each visit.
        session_id = guest_id_in(self._page.stored) or self._job.session_id or self._reading.session_id or str(uuid4())
        return replace(self._reading, nonce=nonce, session_id=session_id)

    async def _given_nonce(self) -> str | None:
        """The nonce that the site hands out to this guest; None where it hands out none."""
        try:
            answer = await interface.asked(self._tab, nonce_request(self._reading.ajax_url))
        except (PageFailed, TimeoutError):
            return None
        interface.refuse_check(*answer, "admin-ajax.php")
        return read_nonce(*answer)

    async def _proven_nonce(self) -> str:
        written = self._reading.nonce
        if self._is_proven():
            return written
        taken = await self._is_taken(written) if written else None
        if taken:
            return written
        own_nonce_in = partial(nonce_in, own=partial(own_address, self._page.url))
        if taken is False and (nonce := await interface.fresh_nonce(self._past_cache(), own_nonce_in, self._is_taken)):
            return nonce
        if taken is None and written and not is_from_cache(self._page.headers):
            return written
        await self._read_by_typing(self._page)
        if not self._is_proven():
            if taken is False:
                raise interface.stale("older than 2.3.41")
            raise VisitFailed(Outcome.SITE_ERROR, Cause.OLD_NONCE, _MAY_BE_STALE)
        return self._reading.nonce

    async def _is_taken(self, nonce: str) -> bool | None:
        """Whether the site takes *nonce*, which it is asked without a message; None where it does not say."""
        return await interface.proves(self._tab, probe_request(self._reading.ajax_url, nonce), takes_nonce)

    async def _past_cache(self) -> AsyncIterator[bytes]:
        """The same page past its cache, and what core REST tells of it."""
        now = await interface.got(self._tab, afresh(self._page.url))
        yield now
        for url in self._told_by_rest(rest_root_in(now)):
            yield await interface.got(self._tab, url)

    def _told_by_rest(self, root: str) -> Iterator[str]:
        """Where core REST tells of the page. *root*: where REST is, if the page says it."""
        named, ajax_url, post_id = own_address(self._page.url, root), self._reading.ajax_url, self._reading.post_id
        below, is_own, _ = ajax_url.partition("?")[0].rpartition(AJAX_PATH)
        for one in [named] if named else rest_roots(below) if is_own else []:
            yield from rest_routes(one, self._page.url, post_id)

    async def _settled(self) -> Snapshot:
        """The page once its script has made the guest id, and a person in a window has agreed to what the chat asks."""
        page, limits, begun = self._page, self._job.limits, time.monotonic()
        if limits.consent and _asks_consent(page):
            log.info("the chat asks its visitors to agree; %g s for a person to do so", limits.consent)
        while True:
            waited = time.monotonic() - begun
            lacks_id = waited < limits.guest_id and not guest_id_in(page.stored)
            lacks_consent = waited < limits.consent and _asks_consent(page)
            if not lacks_id and not lacks_consent:
                return page
            await asyncio.sleep(POLL_SECONDS)
            with suppress(NotNow):
                seen = await self._tab.snapshot()
                if _config(seen) is not None or not lacks_consent:  # a person may read the terms on another page first
                    page = seen

    async def _read_by_typing(self, page: Snapshot) -> None:
        """Type one short message and read the requests that this causes, until they tell all or the time is over.

        Consent is never given here: a chat that asks for it gets no message.
        """
        greeting = "" if self._reading.needs_consent else self._reading.greeting
        if not greeting:
            return
        if not await self._tab.type_message(greeting, mark=AIPKit.mark, opener=_OPENER, timeout=TYPING_SECONDS):
            return
        deadline = time.monotonic() + self._job.limits.typed
        while time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            self._reading = read_page(page, self._observed())
            if self._reading.is_complete and self._reading.session_id and self._is_proven():
                break

    def _observed(self) -> list[Observed]:
        return observed_in(self._tab.requests())

    def _is_proven(self) -> bool:
        return any(one.proves_nonce for one in self._observed())
