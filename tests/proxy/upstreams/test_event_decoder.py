"""Event-stream decoding, against a naive decoder of whole texts and against recorded replies."""

import json
import time
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.upstreams.event_decoder import MAX_EVENT_BYTES, EventDecoder, EventTooLarge, ServerEvent
from tests.recorded import SAMPLES

MIB = 1024 * 1024

LINES = (
    *(
        "",
        "",
        "",
        "data",
        "data:",
        "data: ",
        "data:  two blanks",
        "data:x",
        "event",
        "event:",
        "event: done",
        "event:x",
    ),
    *(":", ": a comment", "id: 7", "id", "retry: 10", " data: x", "Data: x", "data : x", "\ufeffdata: x"),
)
lines = st.one_of(
    st.sampled_from(LINES),
    st.builds("{}{}".format, st.sampled_from(["data: ", "data:", "event: ", ":", "other: "]), st.text(max_size=12)),
    st.text(alphabet="dat: e\u2028\x85\x0b你😀\0", max_size=8),
)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Streams of all shapes: any line ends, also mixed, invalid UTF-8 too."""
    text = "".join(line + draw(line_ends) for line in draw(st.lists(lines, max_size=20)))
    body = draw(st.sampled_from(["", "\ufeff"])).encode() + text.encode("utf-8", "replace")
    if body and draw(st.booleans()):
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.sampled_from([b"\xff", b"\xe4\xbd", b"\xf0\x9f", b"data: tail"])) + body[at:]
    return body


def cuts(draw: st.DrawFn, body: bytes) -> list[bytes]:
    positions = sorted(draw(st.lists(st.integers(0, len(body)), max_size=12)))
    return [body[start:end] for start, end in pairwise([0, *positions, len(body)])]


def decode(pieces: Sequence[bytes]) -> list[ServerEvent]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def decode_naively(body: bytes) -> list[ServerEvent]:
    """The standard's algorithm for a whole stream, written as it is told there."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events: list[ServerEvent] = []
    name, data = "", ""
    for line in text.split("\n")[:-1]:
        if line == "":
            if data:
                events.append(ServerEvent(name or "message", data.removesuffix("\n")))
            name, data = "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data += value + "\n"
        elif field == "event":
            name = value
    return events


@given(streams())
def test_whole_streams_decode_as_the_standard_says(body: bytes) -> None:
    assert decode([body]) == decode_naively(body)


@given(st.data(), streams())
def test_cuts_do_not_change_the_events(data: st.DataObject, body: bytes) -> None:
    pieces = data.draw(st.composite(cuts)(body))

    assert decode(pieces) == decode_naively(body)


@given(streams())
def test_single_bytes_give_the_same_events(body: bytes) -> None:
    assert decode([body[at : at + 1] for at in range(len(body))]) == decode_naively(body)


@given(st.permutations(["event: status", "data: one", "data: two", "id: 5", "retry: 9", ": note", "unknown: x"]))
def test_the_order_of_fields_does_not_matter(fields: list[str]) -> None:
    (event,) = decode(["\n".join([*fields, "", ""]).encode()])

    assert event.name == "status"
    assert sorted(event.data.split("\n")) == ["one", "two"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"], id="three data lines"),
        pytest.param(
            "data\n\ndata\ndata\n\ndata:", ["", "\n"], id="a data line without a value is data; no end, no event"
        ),
        pytest.param("data:test\n\ndata: test\n\n", ["test", "test"], id="one blank is dropped"),
        pytest.param("data:  two\n\n", [" two"], id="only one"),
        pytest.param("event: x\nid: 3\n\n", [], id="no data, no event"),
        pytest.param("\ufeffdata: x\n\n", ["x"], id="byte order mark"),
        pytest.param("\ufeff", [], id="nothing else"),
        pytest.param("\ufeff\ufeffdata: x\n\n", [], id="only one mark"),
        pytest.param("data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"], id="all line ends"),
        pytest.param(
            'data: {"delta":"a\u2028b\x85c\x0bd"}\n\n', ['{"delta":"a\u2028b\x85c\x0bd"}'], id="not line ends"
        ),
    ],
)
def test_cases_of_the_standard(body: str, expected: list[str]) -> None:
    assert [event.data for event in decode([body.encode()])] == expected


def test_invalid_utf_8_is_replaced() -> None:
    assert decode([b"event: \xff\ndata: \xe4\xbd\n\n", b"data: \xe4\xbd\xa0\xff\n\n"]) == [
        ("\ufffd", "\ufffd"),
        ("message", "你\ufffd"),
    ]


def test_a_name_holds_for_one_event_only() -> None:
    assert decode([b"event: done\n\ndata: 1\n\nevent: error\ndata: 2\n\ndata: 3\n\n"]) == [
        ("message", "1"),
        ("error", "2"),
        ("message", "3"),
    ]


def test_an_event_is_out_as_soon_as_its_blank_line_is() -> None:
    decoder = EventDecoder()

    assert decoder.feed(b"data: x\r") == decoder.feed(b"") == []
    assert decoder.feed(b"\n\r") == [("message", "x")]
    assert decoder.feed(b"\ndata: y\n\n") == [("message", "y")]
    assert decoder.feed(b"data: z\r") == []
    assert decoder.feed(b"\n\n") == [("message", "z")]


@pytest.mark.parametrize(
    "body", [b"", b"data: x\n\n", b"data: x\n\n: keep-alive", b"data: x", b"data: x\n", b"data: x\n\n: note\ndat"]
)
def test_an_unfinished_event_is_not_given_out(body: bytes) -> None:
    assert len(EventDecoder().feed(body)) == body.count(b"x\n\n")


@pytest.mark.parametrize("piece", [MIB, 10 * MIB])
def test_an_event_may_be_as_large_as_the_limit_and_no_larger(piece: int) -> None:
    event = b"data: " + b"x" * (MAX_EVENT_BYTES - 6)

    (fits,) = decode([*in_pieces(event, piece), b"\n\n"])

    assert len(fits.data) == MAX_EVENT_BYTES - 6
    with pytest.raises(EventTooLarge, match=str(MAX_EVENT_BYTES)):
        decode([*in_pieces(event + b"x", piece), b"\n\n"])
    with pytest.raises(EventTooLarge):
        decode([*in_pieces(event + b"\ndata: x\n\n", piece)])


def test_an_event_that_never_ends_is_refused() -> None:
    with pytest.raises(EventTooLarge):
        decode([b"x" * MIB] * 10)


@pytest.mark.parametrize(
    ("comment", "line_end"),
    [
        pytest.param(b":" + b" " * (MIB - 1), b"\n", id="one long line"),
        pytest.param(b":" + b" " * (MIB - 2) + b"\n", b"", id="long lines"),
        pytest.param(b":\n" * (MIB // 2), b"", id="short lines"),
        pytest.param(b": " * (MIB // 3) + b"\nid\n", b"", id="between fields"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_comments_of_any_length_cost_no_more_memory_than_an_event(comment: bytes, line_end: bytes) -> None:
    decoder = EventDecoder()
    decoder.feed(b"data: first\n")
    tracemalloc.start()
    for _ in range(40):
        assert decoder.feed(comment) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 * MAX_EVENT_BYTES
    assert decoder.feed(line_end + b"data: last\n\n") == [("message", "first\nlast")]


@pytest.mark.parametrize("rest", [b"data: b\n:%s\n\n", b":%s\ndata: b\n\n"])
def test_a_comment_in_one_piece_is_not_part_of_the_limit(rest: bytes) -> None:
    (event,) = decode([b"data: a\n" + rest % (b" " * MAX_EVENT_BYTES)])

    assert event.data == "a\nb"


@pytest.mark.parametrize("size", [1024, 64])
def test_a_long_event_in_small_chunks_is_not_read_again_and_again(size: int) -> None:
    body = b'data: {"delta":"' + b"x" * 4 * MIB + b'"}\n\n'
    started = time.process_time()

    (event,) = decode(in_pieces(body, size))

    assert time.process_time() - started < 1.0
    assert len(json.loads(event.data)["delta"]) == 4 * MIB


def in_pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def recorded(name: str) -> bytes:
    return (SAMPLES / name).read_bytes().partition(b"\r\n\r\n")[2]


STREAMS = sorted(path.name for path in SAMPLES.glob("*.http") if b"text/event-stream" in path.read_bytes())


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_recorded_replies_decode_whole_whatever_the_cuts(name: str, size: int) -> None:
    body = recorded(name)
    decoder = EventDecoder()

    events = [event for piece in in_pieces(body, size) for event in decoder.feed(piece)]

    assert events == decode_naively(body)
    assert len(events) == body.count(b"\ndata: ")
    assert all(json.loads(event.data) is not None for event in events)
    assert not decoder.pending


def test_a_recorded_reply_reads_as_it_was_written() -> None:
    events = decode([recorded("03-stream-ok.http")])

    assert [event.name for event in events if event.name != "message"] == [
        *("message_start", "status", "status", "openai_response_id", "done"),
    ]
    assert "".join(json.loads(event.data)["delta"] for event in events if event.name == "message") == (
        '[gpt-4o-mini] You said: Hello 世界 😀\n你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash\nprior=0 images=0 END'
    )


def test_an_upstream_failure_reads_as_recorded() -> None:
    assert [event.name for event in decode([recorded("40-upstream-cut.http")])] == [
        *("message_start", "status", "status", "message", "message", "message", "error"),
    ]
    assert [event.name for event in decode([recorded("21-get-nonce-wrong.http")])] == ["error", "done"]
