"""The HTTP that sites are asked in: any bytes are a message or `BadResponse`; what is passed on unread is valid."""

from contextlib import suppress
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from proxy.chat.extras import Extras
from proxy.upstreams.aipkit.attempt import Attempt
from proxy.upstreams.aipkit.mojibake import Repair
from proxy.upstreams.aipkit.reader import ReplyReader
from proxy.upstreams.aipkit.requests import SiteTurn
from proxy.upstreams.event_decoder import EventDecoder
from shared.conversations import ToolCall
from shared.models import Credentials
from shared.site_client.client import SiteClient
from shared.site_client.http1 import MAX_LINE_BYTES, BadResponse, Chunked, ContentLength, parse_head
from tests.security.hostile_site import delta

SITE, GUEST = "http://site.example", "11111111-2222-4333-8444-555555555555"
CLIENT = SiteClient()  # never used: what it would bring is given by hand
CREDENTIALS = Credentials(
    site=SITE,
    ajax_url=f"{SITE}/ajax",
    page_url=SITE,
    session_id=GUEST,
    source="manual",
    captured_at=0.0,
    nonce_checked_at=0.0,
)
TURN = SiteTurn(bot_id=1, provider="", message="hi", images=(), session_id=GUEST, conversation_uuid=GUEST)
LINES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.0 204", b"HTTP/1.1 100 Continue", b"Content-Length: 5", b"Content-Length: 6"),
        *(b"content-length: +5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"X: \xff", b" folded"),
    ]
)


@given(st.lists(LINES | st.binary(max_size=12), max_size=6))
@example([b"HTTP/1.0 204", b"Content-Length: 6"])
def test_heads_of_any_bytes(lines: list[bytes]) -> None:
    with suppress(BadResponse):
        head = parse_head(b"\r\n".join(lines))
        framing = head.framing()
        framing.feed(b"12345")
        framing.end()
        has_other_framing = "transfer-encoding" in head.headers or head.status == 204  # which has no body
        assert head.headers.get("content-length") in {None, "5"} or has_other_framing


PIECES = st.lists(
    st.sampled_from([b"5\r\nabcde\r\n", b"0\r\n\r\n", b"0\r\n", b"\r\n", b"1", b"-1", b"5;", b"X: y\r\n"])
    | st.binary(max_size=9),
    max_size=8,
)


@given(PIECES)
@example([b"5;" + b"x" * 9000])
@example([b"0\r\n", *[b"X: y\r\n"] * 9000])
def test_chunked_bodies_of_any_bytes(pieces: list[bytes]) -> None:
    body, fed, decoded = Chunked(), 0, 0
    with suppress(BadResponse):
        for piece in pieces:
            decoded += len(body.feed(piece))
            fed += len(piece)
    assert decoded <= fed + max(map(len, pieces), default=0)
    assert fed - decoded <= MAX_LINE_BYTES + 20 * len(pieces)


CHUNKS = st.lists(
    st.binary(min_size=1, max_size=20) | st.sampled_from([b"\r\n", b"a\r\n1\r\nb", b"x" * 300]), max_size=5
)


@given(
    CHUNKS,
    st.lists(st.integers(0, 900), max_size=8),
    st.sets(st.integers(0, 4)),
    st.sampled_from([b"", b";a=b"]),
    st.tuples(
        st.sampled_from([b"0\r\n\r\n", b"0 \r\n\r\n", b"00;a=b\r\n\r\n", b"0\r\nX: y\r\n\r\n"]),
        st.sampled_from([b"", b"\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]),
    ),
)
def test_a_chunked_body_is_the_same_however_it_is_cut_and_whatever_stands_behind_it(
    chunks: list[bytes], cuts: list[int], whole: set[int], extension: bytes, rest: tuple[bytes, bytes]
) -> None:
    framed, positions = b"", {0, *cuts}
    for number, chunk in enumerate(chunks):
        framed += b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk)
        if number in whole:
            positions.add(len(framed))  # as a chunk comes where the site sets the pace
    last, surplus = rest
    framed += last + surplus
    body = Chunked()
    ends = sorted({position for position in positions if position < len(framed)} | {len(framed)})

    assert b"".join(body.feed(framed[start:end]) for start, end in pairwise(ends)) == b"".join(chunks)
    assert body.finished
    assert body.has_surplus == bool(surplus)


@given(st.integers(0, 9), st.lists(st.binary(max_size=4), max_size=4))
def test_bodies_of_known_length(length: int, pieces: list[bytes]) -> None:
    body = ContentLength(length)
    try:
        decoded = b"".join(body.feed(piece) for piece in pieces)
        body.end()
    except BadResponse:
        assert len(b"".join(pieces)) < length
    else:
        assert decoded == b"".join(pieces)[:length]
        assert body.has_surplus == (len(b"".join(pieces)) > length)


class CollectingSink:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def text(self, text: str) -> bool:
        """Keep it."""
        self.texts.append(text)
        return True

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        raise AssertionError("nobody offered tools")

    def text_with_extras(self, extras: Extras) -> bool:
        """As `Sink.text_with_extras`."""
        raise AssertionError("nobody asked for it")

    async def ready(self) -> None:
        """Always."""


TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(['"', "\\", "\n", "Ã©", "\u2028", "\x7f", "\0", "😀"])
EVENTS = TEXTS.map(lambda text: delta(text.encode("utf-8", "replace").decode())) | st.sampled_from(
    [
        *(b'data: {"delta":"\\ud83d"}\n\n', b'data: {"delta":"a\xff"}\n\n', b'data: {"delta":"a\nb"}\n\n'),
        *(b'data: {"delta":"a","x":"b"}\n\n', b'data: {"delta":"\\u00c3\\u00a9"}\n\n', b'data: {"delta":"\\x"}\n\n'),
        *(b": comment\n\n", b"\r\n\r\n", b'data: {"delta":"\t"}\n\n', b'data: {"delta":"\\ud83d\\ude00"}\n\n'),
    ]
)


def event_by_event(stream: bytes, verdict: bool | None) -> str:
    """The text of a reply, one event and one step at a time."""
    reader, repair = ReplyReader(), Repair(verdict)
    return "".join(repair.feed(reader.read(event)) for event in EventDecoder().feed(stream)) + repair.end()


@given(st.lists(EVENTS, max_size=8), st.lists(st.integers(0, 200), max_size=6), st.sampled_from([None, False, True]))
def test_a_reply_is_read_the_same_however_it_is_cut_and_however_many_deltas_come_at_once(
    stream: list[bytes], cuts: list[int], verdict: bool | None
) -> None:
    collected, sent = CollectingSink(), b"".join(stream)
    attempt = Attempt(
        CLIENT, CREDENTIALS, TURN, reader=ReplyReader(), double_encodes=verdict, sink=collected, begun=lambda: None
    )
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    for start, end in pairwise(places):
        attempt._take(sent[start:end])
    attempt._flush()

    assert "".join(collected.texts) == event_by_event(sent, verdict)
