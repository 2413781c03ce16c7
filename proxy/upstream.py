"""Running one turn against one site: both requests, and what can be mended on the way.

Mended without the client noticing: a refused nonce at either step, a message that the site lost, a connection that
was not made. Never retried: anything after the site may have put the message into its history.
"""

import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from proxy.credentials import CredentialKeeper, NoCredentials
from proxy.limits import SiteLimit
from proxy.protocol.aipkit import SiteTurn, message_fields, multipart, read_cache_key, read_stream_head, stream_url
from proxy.protocol.encoding import Repair
from proxy.protocol.errors import ServiceError
from proxy.protocol.refusals import Kind, SiteRefusal
from proxy.protocol.reply import ReplyReader
from proxy.protocol.sse import EventDecoder, EventTooLarge
from shared.http import SiteClient, SiteTimeout, SiteUnreachable, visitor_headers
from shared.models import Credentials

MAX_ATTEMPTS = 3
STEP_1_SECONDS = 60.0
IDLE_SECONDS = 90.0  # longest silence in a stream
RETRY_AFTER_SECONDS = 10.0

log = logging.getLogger(__name__)

BuildTurn = Callable[[Credentials], SiteTurn]


class Upstream:
    """All sites, as something that answers turns."""

    def __init__(self, client: SiteClient, keeper: CredentialKeeper, *, max_streams: int) -> None:
        self._client = client
        self._keeper = keeper
        self._limits = {site.origin: SiteLimit(max_streams) for site in keeper.sites}
        self._double_encodes: dict[str, bool] = {}  # what replies have shown of each site's text encoding

    def reply(self, site: str, build: BuildTurn) -> "SiteReply":
        """The reply to a turn, not begun yet. *build* makes the turn for the credentials it is sent with."""
        return SiteReply(self, site, build)

    @asynccontextmanager
    async def place(self, site: str) -> AsyncIterator[None]:
        """Hold one of the site's places."""
        async with self._limits[site].place():
            yield

    async def credentials(self, site: str) -> Credentials:
        """The current credentials. Raises `ServiceError` (503)."""
        with _told_to_client():
            return await self._keeper.current(site)

    async def recover(self, refusal: SiteRefusal, used: Credentials) -> Credentials:
        """Credentials to try again with, or *refusal* raised anew where trying again would not help."""
        if refusal.kind in {Kind.CACHE_KEY, Kind.UNREACHABLE}:
            return used
        if refusal.kind is Kind.CHALLENGE:
            with _told_to_client():
                return await self._keeper.replaced(used, "a check page came instead of an answer")
        if refusal.kind not in {Kind.NONCE, Kind.UNRECOGNISED}:
            raise refusal
        # The words of a refusal may be in any language: a nonce that the site has replaced tells more.
        try:
            renewed = await self._keeper.renew(used)
        except NoCredentials:
            if refusal.kind is Kind.UNRECOGNISED:
                raise refusal from None
        else:
            if renewed.nonce != used.nonce or renewed.generation > used.generation:
                return renewed
            if refusal.kind is Kind.UNRECOGNISED:
                raise refusal
        with _told_to_client():
            return await self._keeper.replaced(used, "the site refuses a fresh nonce")

    async def succeeded(self, used: Credentials, double_encodes: bool | None) -> None:
        """Remember what a whole reply has shown."""
        if double_encodes is not None:
            self._double_encodes[used.site] = double_encodes
        await self._keeper.mark_good(used)

    async def texts(self, credentials: Credentials, turn: SiteTurn, reader: ReplyReader) -> AsyncGenerator[str, None]:
        """One attempt: the reply's text as it comes. Raises `SiteRefusal`."""
        cache_key = await self._store_message(credentials, turn)
        repair = Repair(self._double_encodes.get(credentials.site))
        url = stream_url(credentials.ajax_url, turn, credentials.nonce, cache_key)
        try:
            async with aclosing(self._pieces(url, credentials, reader)) as pieces:
                async for text in _read_texts(pieces, reader):
                    if clear := repair.feed(text):
                        yield clear
        except SiteRefusal:
            if rest := repair.end():
                yield rest
            raise
        if rest := repair.end():
            yield rest
        reader.end()
        await self.succeeded(credentials, repair.verdict)

    async def _store_message(self, credentials: Credentials, turn: SiteTurn) -> str:
        boundary = secrets.token_hex(24)
        headers = visitor_headers(credentials)
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        body = multipart(message_fields(turn, credentials.nonce), boundary)
        try:
            reply = await self._client.post(credentials.ajax_url, body, headers, timeout=STEP_1_SECONDS)
        except SiteTimeout as error:
            raise SiteRefusal(Kind.TIMEOUT, str(error), logged=False) from error
        except SiteUnreachable as error:
            raise SiteRefusal(Kind.UNREACHABLE, str(error), logged=False) from error
        return read_cache_key(reply.status, reply.headers, reply.body)

    async def _pieces(self, url: str, credentials: Credentials, reader: ReplyReader) -> AsyncGenerator[bytes, None]:
        """The body of step 2, up to the piece with the end mark."""
        try:
            async with self._client.stream(url, visitor_headers(credentials), idle_timeout=IDLE_SECONDS) as reply:
                read_stream_head(reply.status, reply.content_type, reply.headers)
                async for piece in reply.body:
                    yield piece
                    if reader.finished:
                        break
        except SiteTimeout as error:
            raise SiteRefusal(Kind.TIMEOUT, f"no sign of it for {IDLE_SECONDS:.0f} s", logged=True) from error
        except SiteUnreachable as error:
            raise SiteRefusal(Kind.TRUNCATED, str(error), logged=True) from error


class SiteReply:
    """One reply: `texts` yields it; afterwards `turn`, `reader` and `credentials` tell how it was got."""

    def __init__(self, upstream: Upstream, site: str, build: BuildTurn) -> None:
        self._upstream = upstream
        self._site = site
        self._build = build
        self.credentials: Credentials
        self.turn: SiteTurn
        self.reader = ReplyReader()

    async def texts(self) -> AsyncGenerator[str, None]:
        """The reply's text as it comes. Raises `SiteRefusal` or `ServiceError`."""
        async with self._upstream.place(self._site):
            self.credentials = await self._upstream.credentials(self._site)
            for attempt in range(1, MAX_ATTEMPTS + 1):
                self.turn = self._build(self.credentials)
                self.reader = ReplyReader(self.turn.provider)
                try:
                    async with aclosing(self._upstream.texts(self.credentials, self.turn, self.reader)) as texts:
                        async for text in texts:
                            yield text
                    return
                except SiteRefusal as refusal:
                    if refusal.logged or self.reader.started or attempt == MAX_ATTEMPTS:
                        raise
                    log.info("turn refused by %s (%s), mending", self._site, refusal.kind.value)
                    self.credentials = await self._upstream.recover(refusal, self.credentials)


async def _read_texts(pieces: AsyncIterator[bytes], reader: ReplyReader) -> AsyncIterator[str]:
    """The text in the pieces of an event stream; what came before a failure is not lost."""
    decoder = EventDecoder()
    async for piece in pieces:
        texts: list[str] = []
        try:
            for event in decoder.feed(piece):
                texts.append(reader.read(event))
        except EventTooLarge as error:
            raise SiteRefusal(Kind.UPSTREAM, str(error), logged=True) from error
        except SiteRefusal:
            if text := "".join(texts):
                yield text
            raise
        if text := "".join(texts):
            yield text


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
