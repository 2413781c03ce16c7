"""One attempt at a turn with one site: both requests, and the reply as it comes."""

import asyncio
import re
from collections.abc import Callable
from secrets import token_hex
from time import time

import orjson

from proxy.chat.upstream import Sink
from proxy.upstreams.aipkit.mojibake import Repair
from proxy.upstreams.aipkit.reader import ReplyReader
from proxy.upstreams.aipkit.refusals import may_mean_lost
from proxy.upstreams.aipkit.requests import (
    EVENT_STREAM,
    SiteTurn,
    message_fields,
    multipart,
    read_cache_key,
    read_stream_head,
    stream_url,
    until_next_minute,
)
from proxy.upstreams.event_decoder import EventDecoder, EventTooLarge
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.models import Credentials
from shared.site_client.client import SiteClient, guest_headers, read_error
from shared.site_client.errors import SiteTimeout, SiteUnreachable

STEP_1_SECONDS = 60.0

# Between a reply's beginning and its end nearly all events are deltas: their JSON strings are read as one list. The
# line break in it keeps each in its own event: no JSON string can reach across one.
_BEFORE, _AFTER = b'data: {"delta":', b"}\n\n"
_BETWEEN = b'"' + _AFTER + _BEFORE + b'"'
_COMMA = b'",\n"'
_START, _END = len(_BEFORE), -len(_AFTER)
_AROUND = len(_BEFORE) + len(_AFTER) + 2  # with the quotes
_may_hold_note = re.compile(rb": [A-Z_]{4,30}\)").search  # see `ReplyReader.may_have_note`
_is_one = re.compile(rb'data: \{"delta":"[ !#-\[\]-\x7f]++"\}\n\n').fullmatch  # a delta of ASCII without escapes


class Attempt:
    """Sends one turn and passes its reply to a sink; the protocol itself is in pure functions elsewhere.

    *begun* is called right before the first text. *double_encodes*: what is known of the site (`Repair.verdict`).
    """

    __slots__ = (
        "_begun",
        "_client",
        "_credentials",
        "_decoder",
        "_double_encodes",
        "_give",
        "_is_flowing",
        "_opening",
        "_plain_chars",
        "_reader",
        "_repair",
        "_seeks_note",
        "_sink",
        "_turn",
    )

    def __init__(
        self,
        client: SiteClient,
        credentials: Credentials,
        turn: SiteTurn,
        *,
        reader: ReplyReader,
        double_encodes: bool | None,
        sink: Sink,
        begun: Callable[[], None],
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._turn = turn
        self._reader, self._seeks_note = reader, reader.may_have_note
        self._decoder = EventDecoder()
        self._double_encodes = double_encodes
        self._repair: Repair | None = None  # from the first character on that it could be about
        self._plain_chars = 0  # before that
        self._opening = ""  # the first text
        self._is_flowing = False  # its text has begun, nothing is held of it, and nothing has to be repaired
        self._sink, self._give = sink, sink.text
        self._begun: Callable[[], None] | None = begun

    @property
    def verdict(self) -> bool | None:
        """As `Repair.verdict`."""
        return self._repair.verdict if self._repair is not None else None

    @property
    def is_logged(self) -> bool:
        """Whether the site has an answer that was read whole in its log: a "0" is none to the plugin."""
        return self._opening != "0" or self._plain_chars > 1 or self._repair is not None

    async def run(self, idle_timeout: float, patience: float | None) -> None:
        """Send the turn and give its text to the sink. Raises `SiteRefusal`, and what the sink raises.

        *idle_timeout*: the longest silence; *patience*: the longest wait for step 1, where that is short. In seconds.
        """
        cache_key = await self._store_message(patience)
        credentials, is_repeat, date = self._credentials, False, ""
        url = stream_url(credentials.ajax_url, self._turn, credentials.nonce, cache_key)
        try:
            async with self._client.stream(url, guest_headers(credentials), idle_timeout=idle_timeout) as reply:
                page = b"" if reply.content_type == EVENT_STREAM else await read_error(reply.body)
                read_stream_head(reply.status, reply.content_type, reply.headers, page)
                body, is_repeat, date = reply.body, reply.is_repeat, reply.headers.get("Date", "")
                del reply, url  # what is named here lives as long as the answer
                while await body.consume(self._take) and not self._reader.finished:
                    await self._sink.ready()
        except EventTooLarge as error:
            raise SiteRefusal(RefusalKind.UPSTREAM, str(error), logged=True) from error
        except (SiteTimeout, TimeoutError) as error:
            self._flush()
            raise SiteRefusal(RefusalKind.TIMEOUT, f"no sign of it for {idle_timeout:g} s", logged=True) from error
        except SiteUnreachable as error:
            self._flush()
            raise SiteRefusal(RefusalKind.TRUNCATED, str(error), logged=True) from error
        except SiteRefusal as refusal:
            self._flush()
            _complete(refusal, date, is_repeat=is_repeat)
            if self._turn.interaction_id and self._reader.started and not self._reader.has_text:
                refusal.kind = RefusalKind.PREVIOUS if may_mean_lost(refusal) else refusal.kind
            raise
        self._flush()

    def _take(self, data: bytes) -> bool:
        """Take a piece of the body. False: the sink wants a pause, or the reply is complete."""
        # Of what flows little is looked at: of thousands of replies, each is far from the processor's cache.
        if self._is_flowing and not (self._seeks_note and _may_hold_note(data)):
            if _is_one(data) is not None:
                self._plain_chars += len(data) - _AROUND
                return self._give(data[_START + 1 : _END - 1].decode())
            text, _ = _plain(data)
            if text is not None and (self._repair is not None or text.isascii()):
                self._plain_chars += len(text)
                return self._give(text) if text else True
        reader, decoder = self._reader, self._decoder
        texts: list[str] = []
        try:
            self._read(data, texts)
        finally:  # what came before a failure is given out before it is told
            wants_more = self._pass_on("".join(texts))
        is_clear = self._repair is None or self._repair.is_passing
        is_counted = reader.pieces > 1 or not reader.interaction_id
        is_flowing = self._begun is None and is_clear and decoder.is_between and is_counted
        self._is_flowing = is_flowing and not reader.is_holding
        return wants_more and not reader.finished

    def _read(self, data: bytes, texts: list[str]) -> None:
        """Add to *texts* what *data* holds: mostly deltas, which are read at once, between events of other kinds."""
        first = data.find(_BEFORE)
        end = data.find(b"\n\n", data.rfind(_BEFORE)) + 2
        text, pieces = _plain(data[first:end]) if 0 <= first < end else (None, 0)
        if text is not None:
            self._read_events(data[:first], texts)
            data = data[first:]
            if self._decoder.is_between and not self._reader.finished and not self._reader.reads_alone(text):
                self._reader.has_text = self._reader.has_text or bool(text)
                self._reader.pieces += pieces
                texts.append(text)
                data = data[end - first :]
        self._read_events(data, texts)

    def _read_events(self, data: bytes, texts: list[str]) -> None:
        for event in self._decoder.feed(data):
            if not self._reader.finished:
                texts.append(self._reader.read(event))

    def _pass_on(self, text: str) -> bool:
        """Give *text*, repaired where it has to be. False: the sink wants a pause."""
        text = self._repaired(text)
        return self._deliver(text) if text else True

    def _repaired(self, text: str) -> str:
        if self._repair is None:
            if text.isascii():
                self._plain_chars += len(text)
                return text
            self._repair = Repair(self._double_encodes, sent=self._plain_chars)
        return self._repair.feed(text)

    def _deliver(self, text: str) -> bool:
        if self._begun is not None:
            self._begun()
            self._begun, self._opening = None, text
        return self._give(text)

    def _flush(self) -> None:
        rest = self._repaired(self._reader.release())
        if self._repair is not None:
            rest += self._repair.end()
        if rest:
            self._deliver(rest)

    async def _store_message(self, patience: float | None) -> str:
        boundary = token_hex(24)
        headers = guest_headers(self._credentials)
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        turn, nonce = self._turn, self._credentials.nonce
        if turn.images:  # they are long
            body = await asyncio.to_thread(lambda: multipart(message_fields(turn, nonce), boundary))
        else:
            body = multipart(message_fields(turn, nonce), boundary)
        posting = self._client.post(self._credentials.ajax_url, body, headers, timeout=STEP_1_SECONDS)
        try:
            reply = await (posting if patience is None else asyncio.wait_for(posting, patience))
        except (SiteTimeout, TimeoutError) as error:
            raise SiteRefusal(RefusalKind.TIMEOUT, str(error) or "nothing came for too long", logged=False) from error
        except SiteUnreachable as error:
            raise SiteRefusal(RefusalKind.UNREACHABLE, str(error), logged=False) from error
        return read_cache_key(reply.status, reply.headers, reply.body, sent=len(body))


def _plain(data: bytes) -> tuple[str | None, int]:
    """The text of *data* where it is nothing but whole deltas, and how many have some; None: it takes a closer look."""
    if not (data.startswith(_BEFORE) and data.endswith(_AFTER)):
        return None, 0
    strings = data[_START:_END].split(_BETWEEN)  # the first without its end, the last without its beginning
    if data.count(b"\n") != 2 * len(strings) or b"\r" in data:  # something else stands between them
        return None, 0
    try:
        texts: list[str] = orjson.loads(b"[" + _COMMA.join(strings) + b"]")
        return ("".join(texts), len(texts) - texts.count("")) if len(texts) == len(strings) else (None, 0)
    except (orjson.JSONDecodeError, TypeError):  # a TypeError: one of them is no text
        return None, 0


def _complete(refusal: SiteRefusal, date: str, *, is_repeat: bool) -> None:
    """Complete a *refusal* of step 2 from its context. *date*: the response's Date header."""
    if is_repeat and refusal.kind is RefusalKind.CACHE_KEY:
        # The key was used up by a request that was answered to nobody.
        refusal.kind, refusal.text = RefusalKind.TRUNCATED, "the connection broke before the answer"
        refusal.logged = True
    if refusal.kind is RefusalKind.MINUTE_LIMIT:
        refusal.retry_after = until_next_minute(date, time())
