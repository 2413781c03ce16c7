"""Reading answers, against recorded ones: the failures that look like success among them."""

import json
from typing import Any

import pytest

from proxy.chat.tokens import Usage
from proxy.upstreams.ai_engine.lines import LineDecoder
from proxy.upstreams.ai_engine.reader import ReplyReader
from proxy.upstreams.site.refusals import RefusalKind, SiteRefusal
from shared.plugins.lenient_json import read_object
from tests.site_checks.ai_engine.recordings import recording

SAID = '你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash\n'


def read(body: bytes) -> tuple[str, ReplyReader]:
    """The text of a whole body, and its reader. Raises `SiteRefusal`."""
    decoder, reader = LineDecoder(), ReplyReader()
    text = "".join(reader.read(event) for event in decoder.feed(body))
    decoder.end()
    if decoder.plain and not reader.finished:
        text += reader.read_plain(read_object(bytes(decoder.plain)))
    reader.end()
    return text, reader


def stream(*pieces: str, **end: Any) -> bytes:
    live_events = [{"type": "live", "data": piece} for piece in pieces]
    whole = {"success": True, "reply": "".join(pieces).strip(), **end}
    live_events.append({"type": "end", "data": json.dumps(whole)})
    return b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in live_events)


def refusal_of(body: bytes) -> RefusalKind:
    with pytest.raises(SiteRefusal) as exc_info:
        read(body)
    return exc_info.value.kind


@pytest.mark.parametrize(
    "name", ["02-submit-stream", "10b-browser-submit-1", "03b-submit-plain", "20e-second-half-plain"]
)
def test_a_recorded_answer_has_the_text_that_the_model_wrote(name: str) -> None:
    text, reader = read(recording(f"{name}.http").body)

    assert f"\n{SAID}prior=" in text
    assert "  \n" not in text
    assert reader.usage is not None


def test_a_bare_line_feed_is_one_again_and_others_stay() -> None:
    text, _ = read(recording("08-reply-newlines.http").body)

    assert text == "  lead\n\na\n\nb \nc\n"


def test_a_line_feed_with_blanks_before_it_stays_in_an_answer_that_is_no_stream() -> None:
    assert read(json.dumps({"success": True, "reply": "a  \nb  \n\nc"}).encode())[0] == "a  \nb  \n\nc"


def test_provider_usage_is_reported_and_estimates_are_not() -> None:
    assert read(recording("02-submit-stream.http").body)[1].usage == Usage(14, 26)
    assert read(recording("03-submit-stream-chatcompletions.http").body)[1].usage is None
    assert read(recording("90-2.4.1-stream.http").body)[1].usage == Usage(12, 22)  # of a version that does not say


@pytest.mark.parametrize(
    ("value", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "accuracy": "price"}, Usage(3, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "accuracy": "full"}, Usage(3, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "accuracy": "none"}, None),
        ({"prompt_tokens": 3, "completion_tokens": 4, "accuracy": "estimated"}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "accuracy": "tokens"}, None),
        ({"prompt_tokens": "3", "completion_tokens": 4}, None),
        ({"prompt_tokens": -3, "completion_tokens": 4}, None),
        ({"total_tokens": 7, "accuracy": "tokens"}, None),
        (None, None),
        ([], None),
    ],
)
def test_figures_are_taken_where_they_can_be_some(value: object, usage: Usage | None) -> None:
    assert read(stream("x", usage=value))[1].usage == usage
    assert read(json.dumps({"success": True, "reply": "x", "usage": value}).encode())[1].usage == usage


@pytest.mark.parametrize(
    ("name", "nonce"), [("15-browser-new-token", "da899c173b"), ("20e-second-half-plain", "99a297567a")]
)
def test_the_token_of_the_next_turn_is_noted(name: str, nonce: str) -> None:
    assert read(recording(f"{name}.http").body)[1].new_nonce == nonce


@pytest.mark.parametrize("name", ["50-event-logs", "50b-event-logs-chatcompletions"])
def test_progress_events_are_not_text(name: str) -> None:
    text, _ = read(recording(f"{name}.http").body)

    assert text.startswith("[")
    assert "Generating" not in text
    assert "Starting" not in text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("40-upstream-errhtml", RefusalKind.EMPTY),
        ("40-upstream-error_event", RefusalKind.EMPTY),
        ("40-upstream-refusal-plain", RefusalKind.EMPTY),
        ("40-upstream-late_error", RefusalKind.TRUNCATED),
        ("40-upstream-cut_clean", RefusalKind.TRUNCATED),
        ("40-upstream-incomplete", RefusalKind.TRUNCATED),
        ("41-stream-dies", RefusalKind.TRUNCATED),
        ("51-abort", RefusalKind.TRUNCATED),
        ("40-upstream-cut", RefusalKind.UPSTREAM),
        ("40-upstream-err429", RefusalKind.RATE_LIMIT),
        ("42-stall-timeout4", RefusalKind.TIMEOUT),
        ("24-too-long", RefusalKind.UNRECOGNISED),
        ("31-limit", RefusalKind.QUOTA),
        ("45-banned-word", RefusalKind.UNRECOGNISED),
        ("02e-bogus-previd", RefusalKind.UPSTREAM),
    ],
)
def test_a_recorded_failure_is_one_however_it_looks(name: str, kind: RefusalKind) -> None:
    assert refusal_of(recording(f"{name}.http").body) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"success":true,"reply":"hel', RefusalKind.TRUNCATED),
        (b"<html>a page under the type of JSON</html>", RefusalKind.TRUNCATED),
        (b'{"success":true,"reply":null}', RefusalKind.EMPTY),
    ],
)
def test_what_comes_without_a_stream_is_whole_or_a_failure(body: bytes, kind: RefusalKind) -> None:
    assert refusal_of(body) is kind


def test_blanks_alone_are_no_answer_and_are_not_passed_on() -> None:
    reader = ReplyReader()

    assert reader.read({"type": "live", "data": "  \n"}) == ""
    assert reader.read({"type": "live", "data": " "}) == ""
    assert reader.read({"type": "live", "data": "x"}) == "\n x"
    assert refusal_of(stream(" ", "\n\n")) is RefusalKind.EMPTY
    assert refusal_of(stream(*([" " * 1000] * 100))) is RefusalKind.UPSTREAM  # nor are they held without end


def test_blanks_before_a_line_feed_are_the_plugins_only_where_that_came_alone() -> None:
    assert read(stream("a  \n", "  \n", "b"))[0] == "a  \n\nb"


def test_a_reply_that_was_not_streamed_is_given_at_the_end() -> None:
    for blanks in ((), (" ", "\n")):  # those before it were held back, and are none of it
        assert read(stream(*blanks, reply="all at once"))[0] == "all at once"


@pytest.mark.parametrize("end", [{"reply": ""}, {"reply": " \n"}, {"reply": None}, {"reply": ["x"], "images": []}])
def test_an_end_that_brings_no_reply_ends_no_text(end: dict[str, Any]) -> None:
    assert refusal_of(stream("some", "text", **end)) is RefusalKind.TRUNCATED
    assert read(stream("some", "text", **end, actions=[{"type": "function"}]))[0] == "sometext"


@pytest.mark.parametrize("data", ["x", "", "{", None, 7, '{"success":true}'])
def test_an_end_that_cannot_be_read_ends_no_text(data: object) -> None:
    live = b'data: {"type":"live","data":"some text"}\n\n'

    assert (
        refusal_of(live + b"data: " + json.dumps({"type": "end", "data": data}).encode() + b"\n\n")
        is RefusalKind.TRUNCATED
    )


def test_an_end_needs_no_more_than_its_reply() -> None:
    text, reader = read(b'data: {"type":"end","data":"{\\"reply\\":\\"all\\"}"}')

    assert (text, reader.usage, reader.new_nonce) == ("all", None, "")


@pytest.mark.parametrize("pieces", [("A cat:",), ("  A cat", ":", "\n"), ("A", "  \n", "cat:")])
def test_what_a_reply_has_after_its_stream_follows_it(pieces: tuple[str, ...]) -> None:
    drawn = "\n\n![Generated Image](https://h/wp-content/uploads/a.png)"
    reply = "".join(pieces).strip() + drawn
    streamed = read(stream(*pieces))[0]

    assert read(stream(*pieces, reply=reply))[0] == streamed + drawn
    more = read(stream(*pieces, reply=reply, images=["https://h/wp-content/uploads/a.png", "https://h/b.png"]))[0]
    assert more == f"{streamed}{drawn}\n\n![](https://h/b.png)"


def test_a_reply_that_is_another_than_its_stream_adds_nothing() -> None:
    assert read(stream("Let me look.", "It is 5.", reply="It is 5."))[0] == "Let me look.It is 5."


def test_pictures_beside_a_text_follow_it_unless_it_shows_them() -> None:
    images = ["https://h/a.png", "https://h/b.png", 5, ""]
    shown = "See ![it](https://h/a.png)."

    assert read(stream(shown, images=images))[0] == f"{shown}\n\n![](https://h/b.png)"
    plain = {"success": True, "reply": shown, "images": images}
    assert read(json.dumps(plain).encode())[0] == f"{shown}\n\n![](https://h/b.png)"


@pytest.mark.parametrize("subtype", ["status", "thinking", "tool_call", "embeddings", "debug", "error"])
def test_only_content_among_what_has_a_subtype_is_text(subtype: str) -> None:
    reader = ReplyReader()
    more = {"timestamp": 1.5, "visibility": "collapsed", "metadata": {"model": "m"}}

    assert reader.read({"type": "live", "data": "x", "subtype": subtype, **more}) == ""
    assert reader.read({"type": "live", "data": "y", "subtype": "content", **more}) == "y"
    assert reader.read({"type": "live", "data": "z", "subtype": None}) == "z"


def test_pictures_are_an_answer_and_actions_of_the_page_are_not() -> None:
    assert (
        read(stream(images=["https://h/a.png", "https://h/b.png"]))[0] == "![](https://h/a.png)\n\n![](https://h/b.png)"
    )
    assert refusal_of(stream(actions=[{"name": "open"}])) is RefusalKind.EMPTY


def test_an_invalid_nonce_is_never_sent() -> None:
    assert read(stream("hi", new_token="5c95\r\nX: y"))[1].new_nonce == ""


def test_a_picture_at_the_end_makes_a_text_without_a_reply_whole() -> None:
    assert read(stream("look", reply="", images=["https://a/b.png"]))[0] == "look\n\n![](https://a/b.png)"


def test_a_success_that_says_something_beside_its_reply_is_one() -> None:
    assert read(json.dumps({"success": True, "reply": "hi", "message": "ok"}).encode())[0] == "hi"


def test_an_estimate_tells_of_a_cut_only_where_the_provider_counts_every_whole_answer() -> None:
    estimated = {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "accuracy": "estimated"}}

    assert read(stream("x", responseId="chatcmpl-1", **estimated))[0] == "x"
    assert refusal_of(stream("x", responseId="resp_1", **estimated)) is RefusalKind.TRUNCATED
    plain = {"success": True, "reply": "x", "responseId": "resp_1", **estimated}
    assert read(json.dumps(plain).encode())[0] == "x"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"success":true}', b"data: {}\n\n", b'data: {"type":"end","data":"x"}\n\n']
)
def test_garbage_is_no_answer(body: bytes) -> None:
    with pytest.raises(SiteRefusal):
        read(body)
