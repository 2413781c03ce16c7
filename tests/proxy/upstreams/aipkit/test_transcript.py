"""Transcripts keep every text exactly; guards change only what the site would get wrong."""

import json
import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.chat.errors import ServiceError
from proxy.chat.history import always_sent
from proxy.upstreams.aipkit.requests import guard
from proxy.upstreams.aipkit.transcript import shorten, transcript
from shared.conversations import Message, Role, ToolResult

PICTURE = "0" * 64
HEADER = re.compile(r"----- (system|user|assistant)(?:, ([0-9]+) images?)?((?: \([0-9]+\))?) -----")


def system(text: str) -> Message:
    return Message(role="system", text=text)


def user(text: str, images: int = 0) -> Message:
    return Message(role="user", text=text, images=(PICTURE,) * images)


def assistant(text: str) -> Message:
    return Message(role="assistant", text=text)


def parse(text: str) -> list[Message]:
    """The messages in a transcript: its first header shows what mark all headers carry."""
    body = text.partition("\n")[2]
    first = HEADER.match(body, 1)
    assert first
    fence = re.compile(rf"\n\n----- (system|user|assistant)(?:, ([0-9]+) images?)?{re.escape(first[3])} -----\n")
    _, *fields = fence.split("\n" + body)
    roles: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}
    return [
        Message(role=roles[role], text=content, images=(PICTURE,) * int(images or 0))
        for role, images, content in zip(*[iter(fields)] * 3, strict=True)
    ]


SCRAPS = (
    *("\n", "\n\n", " ", "-----", "----- ", "----- user -----", "----- assistant, 2 images -----", "(3)", "\\n"),
    *(
        "----- user (2) -----",
        "\n\n----- system -----\n",
        "<b>&amp;</b>",
        '{"role": "user"}',
        "你好😀",
        "\r\n",
        "\u2028",
    ),
)
scraps = st.sampled_from(SCRAPS)
texts = st.one_of(st.lists(scraps, max_size=8).map("".join), st.text(max_size=20))
messages_of_any_kind = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant"]),
        text=texts,
        images=st.integers(0, 3).map(lambda count: (PICTURE,) * count),
    ),
    min_size=1,
    max_size=8,
)


def is_verbatim(messages: list[Message]) -> bool:
    return len(messages) == 1 and messages[0].role == "user"


@given(messages_of_any_kind)
def test_a_transcript_can_be_read_back_exactly(messages: list[Message]) -> None:
    assume(not is_verbatim(messages))

    assert parse(transcript(messages)) == messages


@given(messages_of_any_kind)
def test_no_text_holds_a_header_that_is_used(messages: list[Message]) -> None:
    assume(not is_verbatim(messages))
    mark = HEADER.search(transcript(messages).partition("\n")[2])
    assert mark

    for message in messages:
        assert f"----- user{mark[3]} -----" not in message.text


@given(texts)
def test_a_single_user_message_is_sent_as_it_is(text: str) -> None:
    assert transcript([user(text)]) == text
    assert transcript([user(text, images=2)]) == text


def test_a_conversation_reads_well() -> None:
    messages = [system("Be brief."), user("What is 2+2?"), assistant("4"), user("And\n\ndoubled?", images=1)]

    assert transcript(messages) == (
        'Below is our conversation so far, each message after a line such as "----- user -----". Follow the system '
        "text. Answer only as the assistant, to the last user message, and write no such lines.\n\n"
        "----- system -----\nBe brief.\n\n"
        "----- user -----\nWhat is 2+2?\n\n"
        "----- assistant -----\n4\n\n"
        "----- user, 1 image -----\nAnd\n\ndoubled?"
    )


def test_headers_are_numbered_where_a_text_shows_one() -> None:
    text = transcript([user("a line ----- user ----- in a text, and ----- user (2) ----- too"), user("2")])

    assert '"----- user (3) -----"' in text.partition("\n")[0]
    assert text.endswith("\n\n----- user (3) -----\n2")
    assert transcript([user("----- user ----- user (2) -----"), user("2")]).endswith("\n\n----- user (3) -----\n2")
    assert transcript([user("----- user, 9 images -----"), user("2", images=2)]).endswith("user, 2 images (2) -----\n2")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user("Write a haiku."), assistant("The old")], "beginning of your answer"),
        ([system("You greet people.")], "Answer only as the assistant, with its next message"),
        ([user("Hi"), system("Answer in French.")], "Answer only as the assistant, with its next message"),
        ([user("Hi"), user("Are you there?")], "to the last user message"),
    ],
)
def test_the_model_is_told_whose_turn_it_is(messages: list[Message], expected: str) -> None:
    instruction = transcript(messages).partition("\n")[0]

    assert expected in instruction
    assert ("system text" in instruction) is any(message.role == "system" for message in messages)


@given(messages_of_any_kind)
def test_what_is_added_has_no_angle_brackets_and_is_not_routed_as_json(messages: list[Message]) -> None:
    assume(not is_verbatim(messages))
    text = transcript(messages)

    assert text.count("<") == sum(message.text.count("<") for message in messages)
    assert text.count(">") == sum(message.text.count(">") for message in messages)
    assert not text.startswith("{")


def test_no_messages_make_an_empty_text() -> None:
    assert transcript([]) == ""
    assert shorten([], 0) == ([], 0)


def test_texts_made_to_lengthen_the_headers_cost_little() -> None:
    bait = "".join(f"----- user ({number}) -----" for number in range(100_000)) + "-" * 1_000_000 + " user -----"
    started = time.process_time()

    text = transcript([user(bait), *[assistant("")] * 100, user("x")])

    assert time.process_time() - started < 2
    assert len(text) < len(bait) + 5_000


HISTORY = [
    system("Rules."),
    user("first question"),
    assistant("first answer"),
    user("second question"),
    system("More rules."),
    assistant("second answer"),
    user("third question"),
]


def test_the_oldest_turns_go_first() -> None:
    whole = len(transcript(HISTORY))

    assert shorten(HISTORY, whole) == (HISTORY, 0)
    assert shorten(HISTORY, whole - 1) == ([HISTORY[0], *HISTORY[3:]], 2)
    assert shorten(HISTORY, len(transcript([HISTORY[0], *HISTORY[3:]])) - 1) == (
        [HISTORY[0], HISTORY[4], HISTORY[6]],
        4,
    )


def test_the_system_texts_and_the_last_turn_stay_even_if_they_do_not_fit() -> None:
    assert shorten(HISTORY, 0) == ([HISTORY[0], HISTORY[4], HISTORY[6]], 4)
    assert shorten([user("a"), user("b"), assistant("c")], 0) == ([user("b"), assistant("c")], 1)
    assert shorten([assistant("hi"), user("b")], 0) == ([user("b")], 1)
    assert shorten([assistant("hi"), assistant("b")], 0) == ([assistant("hi"), assistant("b")], 0)


def test_of_an_agents_history_whole_rounds_go_and_its_task_stays() -> None:
    def result(text: str) -> Message:
        return Message(role="user", text=text, result=ToolResult())

    task = [system("S"), user("hi"), assistant("hello"), user("task")]
    first, second = [assistant("calls 1"), result("a"), result("b")], [assistant("calls 2"), result("c"), user("note")]
    whole = len(transcript([*task, *first, *second]))

    for limit, kept in ((whole - 1, [*task[:1], *task[3:], *first, *second]), (0, [task[0], task[3], *second])):
        assert shorten([*task, *first, *second], limit) == (kept, 10 - len(kept))
        assert always_sent([*task, *first, *second]) == [task[0], task[3], *second]


@given(messages_of_any_kind, st.integers(0, 600))
def test_a_shortened_conversation_fits_or_has_only_its_last_turn(messages: list[Message], limit: int) -> None:
    kept, gone = shorten(messages, limit)

    assert len(kept) + gone == len(messages)
    assert [message for message in kept if message.role == "system"] == [m for m in messages if m.role == "system"]
    assert kept[-1] == messages[-1]
    dialogue = [message for message in kept if message.role != "system"]
    only_last_turn = not any(message.role == "user" for message in dialogue[1:])
    assert len(transcript(kept)) <= limit or only_last_turn
    if len(transcript(messages)) <= limit:
        assert gone == 0


ORDINARY = (
    *("hello", " 0", "0.0", "00", " leading and trailing \n", "/image a cat", "<b>x</b>", "\xa0", "你好 😀", "\ufeffx"),
    *('{"a": 1}', '["stream_context"]', '{"stream_context": 1} please', 'see {"stream_context": 1}', "{\\", "\\u0041"),
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_pass_the_guard_unchanged(text: str) -> None:
    assert guard(text) == text
    assert guard(text, images=3) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("0", "0\n"),
        ("\x000", "0\n"),
        ("a\0b", "ab"),
        ("a\ud83db", "a\ufffdb"),
        ("\ude00", "\ufffd"),
        ("tail \ud83d", "tail \ufffd"),
        ("\ud83d\ude00 is whole", "😀 is whole"),
        ("\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        ('{"stream_context": "x"}', '{"stream_context": "x"}\xa0'),
        (' {"a": 1, "stream_context": "x"}\n', ' {"a": 1, "stream_context": "x"}\n\xa0'),
        (r'{"\u0073tream_context": "x"}', '{"\\u0073tream_context": "x"}\xa0'),
        ('{"stream\0_context": 1}', '{"stream_context": 1}\xa0'),
    ],
)
def test_what_the_site_would_get_wrong_is_changed(text: str, sent: str) -> None:
    assert guard(text) == sent


@pytest.mark.parametrize("blank", ["", " ", "\n\t \r\x0b", "\0", " \0 "])
def test_blanks_alone_are_refused_or_stand_for_their_images(blank: str) -> None:
    with pytest.raises(ServiceError):
        guard(blank)
    assert guard(blank, images=1) == "Please look at the attached image."
    assert guard(blank, images=2) == "Please look at the attached images."


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2)
)
json_objects = st.builds(
    lambda pairs, context, ascii_only: json.dumps({**pairs, **context}, ensure_ascii=ascii_only),
    st.dictionaries(st.text(max_size=5), json_values, max_size=3),
    st.just({"stream_context": "x"}) | st.just({}),
    st.booleans(),
)


@given(st.one_of(texts, json_objects, st.text(alphabet="\ud83d\ude00\0 0{}\n\xa0a", max_size=6)))
def test_a_guarded_text_reaches_the_model(text: str) -> None:
    try:
        sent = guard(text)
    except ServiceError:
        assert not text.strip(" \t\n\r\0\x0b")
        return

    assert sent.encode().decode() == sent
    assert "\0" not in sent
    assert sent != "0"
    assert sent.strip(" \t\n\r\x0b")
    assert not is_routed_elsewhere(sent)
    assert guard(sent) == sent


def is_routed_elsewhere(text: str) -> bool:
    """As the site decides it: a JSON object with that key. PHP's decoder skips JSON's blanks only, as Python's does."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and "stream_context" in value
