"""Lines of answers, split anywhere."""

from time import perf_counter

import pytest

from proxy.upstreams.ai_engine.lines import LineDecoder
from proxy.upstreams.event_decoder import MAX_EVENT_BYTES, EventTooLarge
from tests.site_checks.ai_engine.recordings import recording

STREAM = recording("02-submit-stream.http").body


def events(*pieces: bytes) -> list[object]:
    decoder = LineDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def test_a_recorded_stream_gives_the_same_events_however_it_is_cut() -> None:
    whole = events(STREAM)

    assert len(whole) == 17
    for size in (1, 2, 3, 7, 50, 1000):
        assert events(*(STREAM[start : start + size] for start in range(0, len(STREAM), size))) == whole
    for position in range(len(STREAM)):
        assert events(STREAM[:position], STREAM[position:]) == whole


def test_an_event_is_given_before_its_lines_end_has_come() -> None:
    decoder = LineDecoder()
    line = b'data: {"type":"live","data":"b>x}"}'

    assert decoder.feed(line[:-2]) == []  # it ends like an object, in the middle of a text
    assert len(decoder.feed(line[-2:])) == 1
    assert decoder.feed(b"") == decoder.feed(b"\n\n") == []
    assert len(decoder.feed(line + b"\r\n\r\n")) == 1


def test_other_lines_are_skipped_or_kept_whole() -> None:
    decoder = LineDecoder()

    assert decoder.feed(b'data: [1]\ndata: {"a"\ndata: x\n\n') == []
    assert decoder.plain == b""
    decoder.feed(b'{"success":true,')
    decoder.feed(b'"reply":"data: x"}')
    decoder.end()
    assert decoder.plain == b'{"success":true,"reply":"data: x"}'


def test_comments_are_passed_over() -> None:
    decoder = LineDecoder()

    assert len(decoder.feed(b': keepalive\n\n: keep\r\n\r\ndata: {"type":"live","data":": x"}\n\n: half')) == 1
    decoder.end()
    assert decoder.plain == b""


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_line_ends_of_other_systems_and_byte_order_marks_are_passed_over(size: int) -> None:
    with_boms = b"\xef\xbb\xbf\xef\xbb\xbf" + STREAM.replace(b"\n\n", b"\r\n\r\n")

    assert events(*(with_boms[start : start + size] for start in range(0, len(with_boms), size))) == events(STREAM)


def test_a_lone_surrogate_costs_a_character_and_no_event() -> None:
    assert events(b'data: {"type":"live","data":"a\\ud800b"}', b"\n\n") == [{"type": "live", "data": "a\ufffdb"}]


def test_a_huge_event_in_small_chunks_costs_no_more_than_its_size() -> None:
    whole = b'data: {"type":"live","data":"' + b"}" * (4 << 20) + b'"}'
    started = perf_counter()
    found = events(*(whole[start : start + 1000] for start in range(0, len(whole), 1000)), b"\n")

    assert len(found) == 1
    assert perf_counter() - started < 5.0  # parsed anew with each piece, it would take minutes


@pytest.mark.parametrize(
    "sent",
    [b"data: " + b"x" * MAX_EVENT_BYTES, b"<br>" * (MAX_EVENT_BYTES // 4) + b"\n<br>\n"],
    ids=["a line", "a page"],
)
def test_an_endless_line_is_given_up(sent: bytes) -> None:
    with pytest.raises(EventTooLarge):
        LineDecoder().feed(sent)
