"""Running one turn against one site: both requests, and what can be mended on the way.

Mended without the client noticing: a refused nonce at either step, a message that the site lost, a connection that
was not made. Never retried: anything after the site may have put the message into its history.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import suppress
from time import monotonic, time

from proxy.access.ratelimit import until_next_minute
from proxy.api.images.reading import MAX_IMAGES
from proxy.chat.catalog import Model
from proxy.chat.errors import ServiceError
from proxy.chat.ids import random_hex
from proxy.upstreams.aipkit.credentials import CredentialKeeper, NoCredentials
from proxy.upstreams.aipkit.direct import Direct, Sent
from proxy.upstreams.aipkit.mojibake import Repair
from proxy.upstreams.aipkit.reader import OldBots, ReplyReader
from proxy.upstreams.aipkit.refusals import Kind, SiteRefusal
from proxy.upstreams.aipkit.requests import (
    SiteTurn,
    message_fields,
    multipart,
    read_cache_key,
    read_stream_head,
    stream_url,
)
from proxy.upstreams.event_decoder import EventDecoder, EventTooLarge, ServerEvent
from proxy.upstreams.gate import Passage, Sites
from shared.models import Credentials
from shared.plugins.aipkit.probe import probe_form, takes_several_pictures
from shared.site_client.client import SiteClient, form_body, visitor_headers
from shared.site_client.errors import SiteTimeout, SiteUnreachable

STEP_1_SECONDS = 60.0
TRIAL_SECONDS = 5.0  # for connecting and step 1, where another site answers if this one does not
RETRY_AFTER_SECONDS = 10.0
PASSED_SECONDS = 60.0  # for so long a turn that succeeded shows that nothing stands before the site

log = logging.getLogger(__name__)


class Upstream:
    """All sites, as something that answers turns."""

    def __init__(self, client: SiteClient, keeper: CredentialKeeper, *, max_streams: int, idle_timeout: float) -> None:
        """*max_streams*: open to one site at once. *idle_timeout*: the longest silence in a stream, seconds."""
        self.sites = Sites((site.origin for site in keeper.sites), max_streams)
        self._client = client
        self._keeper = keeper
        self._idle_timeout = idle_timeout
        keeper.on_newer = lambda site: self.sites[site].revived()
        self._double_encodes: dict[str, bool] = {}  # what replies have shown of each site's text encoding
        self._old_bots = OldBots()
        self._one_picture: dict[str, tuple[float, bool]] = {}  # when the visit was, and whether the site takes one only
        self._passed: dict[str, tuple[int, float]] = {}  # with which credentials a turn succeeded last, and when

    def session_id(self, site: str) -> str:
        """The guest as which *site* is visited now; empty before the first visit."""
        state = self._keeper.state(site)
        return state.current.session_id if state else ""

    def in_order(self, models: Sequence[Model]) -> list[Model]:
        """The same model on several sites, in the order in which to try them: the healthiest first."""

        def rank(model: Model) -> int:
            trouble = self._keeper.trouble(model.site.origin)
            return 3 if trouble else self.sites[model.site.origin].rank(model.bot.id)

        return sorted(models, key=rank)  # stable: the order of preference among equals

    async def credentials(self, site: str) -> Credentials:
        """The current credentials. Raises `ServiceError` (503)."""
        with _told_to_client():
            return await self._keeper.current(site)

    async def recover(
        self, refusal: SiteRefusal, used: Credentials, passage: Passage, *, bot_id: int, has_alternative: bool
    ) -> Credentials:
        """Credentials to try again with, or *refusal* raised anew where trying again would not help.

        A visit is waited for outside *passage*. With *has_alternative* another site is asked next: nothing is waited
        for here.
        """
        if refusal.kind is Kind.CACHE_KEY or (refusal.kind is Kind.UNREACHABLE and not has_alternative):
            return used
        if refusal.kind is Kind.CHALLENGE:
            return await self._replaced(
                refusal, used, "a check page came instead of an answer", passage, has_alternative
            )
        if refusal.kind is Kind.FIREWALL:
            return await self._past_firewall(refusal, used, passage, has_alternative)
        if refusal.kind not in {Kind.NONCE, Kind.UNRECOGNISED}:
            raise refusal
        # The words of a refusal may be in any language: a nonce that the site has replaced tells more.
        try:
            renewed = await self._keeper.renew(used)
        except NoCredentials:
            if refusal.kind is Kind.UNRECOGNISED:
                raise self._understood(refusal, used.site, bot_id) from None
        else:
            if _is_newer(renewed, used):
                return renewed
            if refusal.kind is Kind.UNRECOGNISED:
                raise self._understood(refusal, used.site, bot_id)
        return await self._replaced(refusal, used, "the site refuses a fresh nonce", passage, has_alternative)

    async def _past_firewall(
        self, refusal: SiteRefusal, used: Credentials, passage: Passage, has_alternative: bool
    ) -> Credentials:
        """As `recover`. A firewall that lets other requests pass with the same cookie minds what the message says; one
        that lets none pass minds the visitor, and a visit may help."""
        generation, at = self._passed.get(used.site, (0, 0.0))
        if generation == used.generation and monotonic() - at < PASSED_SECONDS:
            raise refusal
        try:
            renewed = await self._keeper.renew(used)
        except NoCredentials as error:
            if error.gets_through:
                raise refusal from None
            refused = SiteRefusal(Kind.NONCE, refusal.text, logged=False, by_plugin=False)
            return await self._replaced(
                refused, used, "a server in front of the site lets nothing pass", passage, has_alternative
            )
        if _is_newer(renewed, used):
            return renewed
        raise refusal

    def _understood(self, refusal: SiteRefusal, site: str, bot_id: int) -> SiteRefusal:
        """*refusal* in words that nobody knows; of a bot that the page does not show it is that the bot is gone."""
        state = self._keeper.state(site)
        if state is None or not state.bots or any(bot.id == bot_id for bot in state.bots):
            return refusal
        return SiteRefusal(Kind.BOT, refusal.text, logged=refusal.logged)

    async def _replaced(
        self, refusal: SiteRefusal, used: Credentials, why: str, passage: Passage, has_alternative: bool
    ) -> Credentials:
        """What a visit brings."""
        if has_alternative:
            await self._keeper.ask(used.site, why)
            raise refusal
        with _told_to_client():
            try:
                async with passage.outside():
                    return await self._keeper.replaced(used, why)
            except NoCredentials as error:
                if refusal.kind is Kind.CHALLENGE:
                    raise refusal from None  # it says what a person can do
                raise NoCredentials(f"{error.reason} (it answers: {refusal.brief})") from error

    def answered(self, used: Credentials, double_encodes: bool | None = None) -> None:
        """Remember what a reply has shown: at its first text, and when it is whole."""
        if double_encodes is not None:
            self._double_encodes[used.site] = double_encodes
        self._passed[used.site] = (used.generation, monotonic())
        self._keeper.mark_good(used)

    def most_pictures(self, site: str) -> int:
        """How many pictures *site* takes in one message, as far as is known."""
        return 1 if self._one_picture.get(site, (0.0, False))[1] else MAX_IMAGES

    async def learn_pictures(self, credentials: Credentials) -> None:
        """Ask once after each visit whether the site takes more than one: plugins before 2.4.21 pass the rest over."""
        if self._one_picture.get(credentials.site, (0.0, False))[0] == credentials.captured_at:
            return
        content_type, body = form_body(probe_form(credentials.nonce))
        headers = {**visitor_headers(credentials), "Content-Type": content_type}
        with suppress(SiteUnreachable):
            reply = await self._client.post(credentials.ajax_url, body, headers, timeout=STEP_1_SECONDS)
            if (several := takes_several_pictures(reply.body)) is not None:
                self._one_picture[credentials.site] = (credentials.captured_at, not several)

    async def texts(
        self, credentials: Credentials, turn: SiteTurn, reader: ReplyReader, direct: Direct | None, *, is_trial: bool
    ) -> AsyncGenerator[str, None]:
        """One attempt: the reply's text as it comes; what *direct* has sent comes as `Sent`. Raises `SiteRefusal`.

        *is_trial*: another site may answer at once, where this one is as it was.
        """
        cache_key = await self._store_message(credentials, turn, TRIAL_SECONDS if is_trial else None)
        decoder, repair = EventDecoder(), Repair(self._double_encodes.get(credentials.site))
        is_repeat, date = False, ""
        reader.needs_id = self._old_bots.needs_id(credentials.site, turn.bot_id)
        if direct is not None:
            direct.follow(decoder, repair)
        url = stream_url(credentials.ajax_url, turn, credentials.nonce, cache_key)
        try:
            with _translated(Kind.TRUNCATED, f"no sign of it for {self._idle_timeout:g} s", logged=True):
                async with self._client.stream(
                    url, visitor_headers(credentials), idle_timeout=self._idle_timeout
                ) as reply:
                    read_stream_head(reply.status, reply.content_type, reply.headers)
                    body, is_repeat, date = reply.body, reply.is_repeat, reply.headers.get("Date", "")
                    del reply, url  # what is named here lives as long as the answer
                    if direct is not None:
                        body.tap = direct.take
                    async for piece in body:
                        if direct is not None and (sent := direct.drain()):
                            repair.passed_over(len(sent))
                            yield Sent(sent)
                        texts = _read(decoder.feed(piece), reader)
                        del piece
                        for text in texts:
                            if clear := repair.feed(text):
                                yield clear
                        if reader.finished:
                            break
        except EventTooLarge as error:
            raise SiteRefusal(Kind.UPSTREAM, str(error), logged=True) from error
        except SiteRefusal as refusal:
            for text in _rest(direct, repair):
                yield text
            _complete(refusal, date, is_repeat=is_repeat)
            raise
        for text in _rest(direct, repair):
            yield text
        self._old_bots.learn(credentials.site, turn.bot_id, reader)
        reader.end()
        self.answered(credentials, repair.verdict)

    async def _store_message(self, credentials: Credentials, turn: SiteTurn, patience: float | None) -> str:
        boundary = random_hex(24)
        headers = visitor_headers(credentials)
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"

        def build() -> bytes:
            return multipart(message_fields(turn, credentials.nonce), boundary)

        body = await asyncio.to_thread(build) if turn.images else build()  # pictures are long
        with _translated(Kind.UNREACHABLE, None, logged=False):
            async with asyncio.timeout(patience):
                reply = await self._client.post(credentials.ajax_url, body, headers, timeout=STEP_1_SECONDS)
        return read_cache_key(reply.status, reply.headers, reply.body)


def _is_newer(renewed: Credentials, used: Credentials) -> bool:
    return renewed.nonce != used.nonce or renewed.generation > used.generation


def _read(events: Iterable[ServerEvent], reader: ReplyReader) -> Iterator[str]:
    """The text of *events*, joined; what came before a failure is given out before it is raised."""
    texts: list[str] = []
    try:
        for event in events:
            texts.append(reader.read(event))
    except SiteRefusal:
        yield "".join(texts)
        raise
    yield "".join(texts)


def _complete(refusal: SiteRefusal, date: str, *, is_repeat: bool) -> None:
    """Add to *refusal* of step 2 what its words do not tell; *date*: the Date header that came with it."""
    if is_repeat and refusal.kind is Kind.CACHE_KEY:  # the key was used up by a request that was answered to nobody
        refusal.kind, refusal.text = Kind.TRUNCATED, "the connection broke before the answer"
        refusal.logged = True
    if refusal.kind is Kind.MINUTE_LIMIT:
        refusal.retry_after = until_next_minute(date, time())


def _rest(direct: Direct | None, repair: Repair) -> Iterator[str]:
    """What *direct* has sent, and what was held back, when a reply ends in whatever way."""
    if direct is not None and (sent := direct.drain()):
        yield Sent(sent)
    if rest := repair.end():
        yield rest


class _translated:  # noqa: N801  (reads as a word in a with statement)
    """Turns a site that cannot be reached, or falls silent, into a refusal."""

    def __init__(self, unreachable: Kind, silent: str | None, *, logged: bool) -> None:
        """*silent*: what to say of silence. *logged*: the site may have put the message into its history."""
        self._unreachable, self._silent, self._logged = unreachable, silent, logged

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, SiteTimeout | TimeoutError):
            text = self._silent or str(error) or "nothing came for too long"
            raise SiteRefusal(Kind.TIMEOUT, text, logged=self._logged) from error
        if isinstance(error, SiteUnreachable):
            raise SiteRefusal(self._unreachable, str(error), logged=self._logged) from error


class _told_to_client:  # noqa: N801  (reads as a word in a with statement)
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, NoCredentials):
            raise ServiceError(
                503,
                f"Not ready: {error.reason}.",
                type="server_error",
                code="no_credentials",
                retry_after=RETRY_AFTER_SECONDS,
            ) from error
