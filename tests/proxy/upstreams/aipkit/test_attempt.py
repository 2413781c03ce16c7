"""One reply as it arrives: the text is the same however its bytes are split and whenever the client pauses."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.extras import Extras
from proxy.chat.upstream import StopReading
from proxy.upstreams.aipkit.attempt import Attempt
from proxy.upstreams.aipkit.mojibake import Repair
from proxy.upstreams.aipkit.reader import ReplyReader
from proxy.upstreams.aipkit.requests import SiteTurn
from proxy.upstreams.event_decoder import EventDecoder
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.conversations import ToolCall
from shared.models import Credentials
from shared.site_client.bodies import Body
from shared.site_client.client import Response, SiteClient, StreamContext
from shared.site_client.connection import Connection
from shared.site_client.errors import SiteTimeout, SiteUnreachable
from shared.site_client.http1 import Head
from tests.recorded import SAMPLES
from tests.security.hostile_site import DONE, OPENING, delta

TURN = SiteTurn(bot_id=5, provider="OpenAI", message="hi", images=(), session_id="guest", conversation_uuid="uuid-1")
GUEST = Credentials(
    site="https://a.example",
    ajax_url="https://a.example/wp-admin/admin-ajax.php",
    page_url="https://a.example/chat/",
    cookie="",
    nonce="aaaaaaaaaa",
    session_id="guest",
    post_id=18,
    user_agent="Test/1.0",
    source="visit",
    captured_at=1.0,
    nonce_checked_at=1.0,
)


class SplitReply(SiteClient):
    """Gives the bytes of one reply in these chunks. None: let its reader run.

    *error* breaks it off; without *ends* it stays open behind the last one.
    """

    def __init__(self, pieces: Sequence[bytes | None], *, error: Exception | None = None, ends: bool = True) -> None:
        self.kind, self.status = "text/event-stream", 200
        self._pieces = pieces
        self._error = error
        self._ends = ends

    async def post(self, url: str, body: bytes, headers: object, *, timeout: float) -> Response:
        """Take the message."""
        return Response(200, "application/json", {}, b'{"success":true,"data":{"cache_key":"aipkit_sse_0123456789"}}')

    def stream(self, url: str, headers: object, *, idle_timeout: float, body: bytes | None = None) -> StreamContext:
        """The reply."""
        return StreamContext(self._ask())

    async def _ask(self) -> tuple[Head, Body, Connection]:
        body = Body(lambda: None, lambda: None)
        self.giving = asyncio.create_task(self._give(body))
        return Head(self.status, {"content-type": self.kind}, True), body, Connection()

    async def _give(self, body: Body) -> None:
        for piece in self._pieces:
            if piece is None:
                await asyncio.sleep(0)
            else:
                body.feed(piece)
        if self._ends:
            body.end(self._error)


class TextSink:
    """Takes text and asks for a pause after so many pieces. *most*: characters after which it stops."""

    def __init__(self, pause: int, most: int = 10**9) -> None:
        self.text_so_far = ""
        self.unasked = 0  # pieces that came while a pause was wanted
        self._wants_pause = False
        self._pieces = 0
        self._pause = pause
        self._most = most

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        assert text
        self.unasked += int(self._wants_pause)
        self.text_so_far += text
        self._pieces += 1
        if len(self.text_so_far) >= self._most:
            raise StopReading("length")
        self._wants_pause = self._pieces % self._pause == 0
        return not self._wants_pause

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        raise AssertionError("nobody offered tools")

    def text_with_extras(self, extras: Extras) -> bool:
        """As `Sink.text_with_extras`."""
        raise AssertionError("nobody asked for it")

    async def ready(self) -> None:
        """As `Sink.ready`."""
        await asyncio.sleep(0)
        self._wants_pause = False


@dataclass
class Result:
    """Result of reading a reply."""

    text: str
    reader: ReplyReader
    verdict: bool | None
    refusal: RefusalKind | None
    begun: int = 0


async def read(pieces: Sequence[bytes | None], pause: int = 1, most: int = 10**9, provider: str = "OpenAI") -> Result:
    """The reply as an attempt reads it."""
    client, sink, paused = SplitReply(pieces), TextSink(pause, most), 0

    def begin() -> None:
        nonlocal paused
        paused += 1
        assert not sink.text_so_far

    reader = ReplyReader(provider)
    attempt = Attempt(client, GUEST, TURN, reader=reader, double_encodes=None, sink=sink, begun=begin)
    refusal = None
    try:
        await attempt.run(60.0, None)
        reader.end()
    except SiteRefusal as error:
        refusal = error.kind
    await client.giving
    assert sink.unasked <= 1  # what the repair held back is given out at the end, whatever the client wants
    return Result(sink.text_so_far, reader, attempt.verdict, refusal, paused)


def attempt_of(client: SiteClient, sink: TextSink) -> Attempt:
    """At a turn of a bot of OpenAI's."""
    reader = ReplyReader("OpenAI")
    return Attempt(client, GUEST, TURN, reader=reader, double_encodes=None, sink=sink, begun=lambda: None)


def read_slowly(sent: bytes, provider: str = "OpenAI") -> Result:
    """The reply event by event."""
    reader, repair, text, refusal = ReplyReader(provider), Repair(), "", None
    try:
        for event in EventDecoder().feed(sent):
            text += "" if reader.finished else repair.feed(reader.read(event))
        reader.end()
    except SiteRefusal as error:
        refusal = error.kind
    text += repair.feed(reader.release()) + repair.end()
    return Result(text, reader, repair.verdict, refusal)


def cut(sent: bytes, cuts: Sequence[int], turns: frozenset[int]) -> list[bytes | None]:
    """Split *sent*; the reader runs after the chunks numbered *turns*."""
    ends = sorted({0, len(sent), *(position for position in cuts if position < len(sent))})
    pieces: list[bytes | None] = []
    for number, (start, end) in enumerate(pairwise(ends)):
        pieces += [sent[start:end], *([None, None, None] if number in turns else [])]
    return pieces


TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ['"', "\\", "\n", "Ã©", "Ã", "©", "\u2028", "\x7f", "\0", "😀", "ä½ å¥½" * 9]
)
DELTAS = TEXTS.map(lambda text: delta(text.encode("utf-8", "replace").decode()))
EVENTS = DELTAS | st.sampled_from(
    [
        *(b'data: {"delta":"a\xff"}\n\n', b'data: {"delta":"a\nb"}\n\n', b'data: {"delta":"\\x"}\n\n'),
        *(b'data: {"delta":"a","x":"b"}\n\n', b'data: {"delta":"\\u00c3\\u00a9"}\n\n', b'data: {"delta":5}\n\n'),
        *(b": comment\n\n", b"\r\n\r\n", b'data: {"delta":"\t"}\n\n', b'data: {"delta":"\\ud83d\\ude00"}\n\n'),
        *(b'data: {"delta":""}\n\n', b'data:{"delta":"a"}\n\n', b'data: {"delta": "a"}\r\n\r\n', OPENING),
        *(b'data: {"other":"a"}\n\n', b'data: ["a"]\n\n', b'event: status\ndata: {"type":"response.created"}\n\n'),
        *(b'event: openai_response_id\ndata: {"id":"resp_1"}\n\n', delta(" (Note: RECITATION)")),
        *(b'event: google_interaction_id\ndata: {"id":"v1_1"}\n\n', delta(" (注意: MAX_TOKENS)x")),
    ]
)
ERROR = b'event: error\ndata: {"error":"API Error: no"}\n\n'
ENDS = st.sampled_from([DONE, b"", b'data: {"delta":"half', ERROR, DONE + b": more\n\n", DONE + delta("x") + ERROR])
CUTS = st.lists(st.integers(0, 400), max_size=8)
TURNS = st.frozensets(st.integers(0, 9))


@pytest.mark.parametrize("provider", ["OpenAI", "Google"])
@given(data=st.data())
def test_a_reply_is_the_same_however_it_is_cut(provider: str, data: st.DataObject) -> None:
    events, end = data.draw(st.lists(EVENTS, max_size=10)), data.draw(ENDS)
    cuts, turns, pause = data.draw(CUTS), data.draw(TURNS), data.draw(st.integers(1, 4))
    sent = b"".join(events) + end
    borders = [len(b"".join(events[:number])) for number in range(len(events))] if 0 in turns else []

    fast = asyncio.run(read(cut(sent, [*cuts, *borders], turns), pause, provider=provider))
    slow = read_slowly(sent, provider)

    assert (fast.text, fast.refusal, fast.verdict) == (slow.text, slow.refusal, slow.verdict)
    for name in ("has_text", "started", "finished", "response_id", "last_status", "finish_reason"):
        assert getattr(fast.reader, name) == getattr(slow.reader, name), name
    assert fast.begun == bool(slow.text)


@pytest.mark.parametrize("name", ["03-stream-ok", "08-stream-markdown", "40-upstream-late_error", "42-upstream-stall"])
@pytest.mark.parametrize("size", [1, 2, 7, 60, 500, 10**6])
async def test_recorded_replies_are_read_whole_in_chunks_of_any_size(name: str, size: int) -> None:
    sent = b":" + (SAMPLES / f"{name}.http").read_bytes().partition(b"\n:")[2]
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]

    fast, slow = await read(pieces), read_slowly(sent)

    assert slow.text
    assert (fast.text, fast.refusal) == (slow.text, slow.refusal)


BROKEN = {
    "half a surrogate pair in each": [b'data: {"delta":"\\ud83d"}\n\n', b'data: {"delta":"\\ude00"}\n\n'],
    "half a letter": [b'data: {"delta":"\xc3"}\n\n', b'data: {"delta":"\xa9"}\n\n', b'data: {"delta":5}\n\n'],
    "an escape that the next one would end": [b'data: {"delta":"a\\"}\n\n', b'data: {"delta":"n"}\n\n'],
    "another end, another middle": [b'data: {"delta":"a"]\n\n', delta("b"), b'data: {"delta":\n"c"}\n\n'],
    "two texts in one": [b'data: {"delta":"a","b"}\n\n', b'data: {"delta":"c}\n\n', b'data: {"delta":d"}\n\n'],
    "the beginning of another event": [b"event: other\n", delta("a"), b'data: {"delta":\r"b"}\n\n'],
    "none but an empty one": [b'event: google_interaction_id\ndata: {"id":"v1"}\n\n', delta("") + delta("a")],
}


@pytest.mark.parametrize("head", [b": padding\n\n", OPENING, OPENING + delta("so ")])
@pytest.mark.parametrize("name", BROKEN)
async def test_events_that_are_broken_are_not_repaired_by_what_comes_with_them(name: str, head: bytes) -> None:
    events = [head, *BROKEN[name], DONE]
    slow = read_slowly(b"".join(events), "Google")

    spaced = [turn for event in events for turn in (event, None, None, None)]
    for pieces in (spaced, [head, None, None, None, b"".join(events[1:])], [b"".join(events)]):
        fast = await read(pieces, provider="Google")
        assert (fast.text, fast.refusal, fast.begun) == (slow.text, slow.refusal, bool(slow.text))


@pytest.mark.parametrize(
    ("end", "error", "kind"),
    [
        (b"", SiteUnreachable("reset"), RefusalKind.TRUNCATED),
        (b"", SiteTimeout("silence"), RefusalKind.TIMEOUT),
        (ERROR, None, RefusalKind.UPSTREAM),
    ],
)
async def test_held_back_text_is_flushed_before_an_error(
    end: bytes, error: Exception | None, kind: RefusalKind
) -> None:
    sink = TextSink(1)
    client = SplitReply([OPENING, delta("so Ã©"), end], error=error)

    with pytest.raises(SiteRefusal) as exc_info:
        await attempt_of(client, sink).run(60.0, None)

    assert (exc_info.value.kind, exc_info.value.logged) == (kind, True)
    assert sink.text_so_far == "so Ã©"


async def test_a_reply_is_whole_at_its_end_mark_though_the_connection_stays_open() -> None:
    sink, client = TextSink(1), SplitReply([OPENING, delta("all"), DONE], ends=False)

    async with asyncio.timeout(5):
        await attempt_of(client, sink).run(60.0, None)

    assert sink.text_so_far == "all"


@given(st.lists(DELTAS, min_size=1, max_size=8), CUTS, TURNS, st.integers(1, 20))
def test_a_sink_that_has_enough_gets_no_more(
    events: list[bytes], cuts: list[int], turns: frozenset[int], most: int
) -> None:
    sent = b"".join(events) + DONE
    whole = read_slowly(sent).text

    async def check() -> str:
        client, sink = SplitReply(cut(sent, cuts, turns)), TextSink(3, most)
        with suppress(StopReading):
            await attempt_of(client, sink).run(60.0, None)
            assert len(whole) < most
        await client.giving
        return sink.text_so_far

    text = asyncio.run(check())

    assert whole.startswith(text)
    assert len(text) >= min(most, len(whole))
