"""Random answers: text without calls passes byte for byte, no markup leaks, nothing hangs."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.chat.tools.call_collector import MAX_CALLS
from proxy.chat.tools.call_reader import CallReader
from proxy.chat.tools.definitions import ToolConfig
from tests.proxy.chat.tools.answer_reader import OFFER, WEATHER, pieces_of, read

CALL = '{"name":"get_weather","arguments":{"city":"Paris"}}'
FRAGMENTS = [
    *(
        "```",
        "````",
        "~~~",
        "```tool_calls\n",
        "```tool_calls ",
        "```json\n",
        "```python\n",
        "```tool_code\n",
        "\n```\n",
        "\n",
        " ",
        "> ",
    ),
    *("<tool_call>", "</tool_call>", "<function_calls>", '<invoke name="get_weather">', "</invoke>", "<function="),
    *(
        '<parameter name="city">',
        "</parameter>",
        "<tool_name>",
        "[TOOL_CALLS]",
        "[result of get_weather]\n",
        "<｜",
        "<",
    ),
    *(
        CALL,
        "print(get_weather(city='Paris'))",
        "get_weather(",
        CALL[:20],
        CALL[:-1],
        '{"name":"other","arguments":{}}',
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        "\\",
        "text",
        "你好",
        "`",
    ),
]
answers = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)


@given(st.text(), st.integers(1, 9))
def test_random_text_passes_byte_for_byte(text: str, size: int) -> None:
    """Up to its last line: one that ends with the beginning of markup may lose that."""
    text += "\n."
    outcome = read(pieces_of(text, size))

    assert outcome.text == text
    assert outcome.calls == []


@given(answers, st.integers(1, 9))
def test_without_tools_everything_is_text(text: str, size: int) -> None:
    assert read(pieces_of(text, size), ToolConfig()).text == text


@given(
    st.lists(st.sampled_from([word for word in FRAGMENTS if "get_weather" not in word]), max_size=14), st.integers(1, 9)
)
def test_text_that_names_no_declared_tool_passes_but_for_what_broke_off(words: list[str], size: int) -> None:
    text = "".join(words)

    outcome = read(pieces_of(text, size))

    assert outcome.calls == []
    assert text.startswith(outcome.text)
    assert outcome.text == text or outcome.verdict.has_partial


@given(answers, st.booleans(), st.data())
@settings(deadline=None, max_examples=300)
def test_fences_of_any_kind_read_alike_in_any_pieces(text: str, is_cut: bool, data: st.DataObject) -> None:
    whole = read([text], cut=is_cut)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))

    assert read([text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)], cut=is_cut) == whole
    assert read(pieces_of(text, 1), cut=is_cut) == whole
    assert not is_cut or whole.calls == read([text]).calls[: len(whole.calls)]


@given(st.lists(st.sampled_from(["Well.\n", "你好\n\n", "- a\n", "```sh\nls\n```\n"]), max_size=3), st.data())
@settings(deadline=None)
def test_a_fence_that_breaks_off_leaves_nothing_behind(before: list[str], data: st.DataObject) -> None:
    """Whatever stands before it."""
    text = "".join(before)
    fence = f"```tool_calls\n{CALL}\n{CALL}\n```\n[result of get_weather]\n21\n"
    end = data.draw(st.integers(0, len(fence)))

    is_cut = data.draw(st.booleans())

    outcome = read([text + fence[:end]], cut=is_cut)

    assert outcome.text.startswith(text.rstrip())
    assert outcome.text[len(text.rstrip()) :].strip() in ("", "`", "``", "```")
    ends = [fence.index("}}") + 2, fence.rindex("}}") + 2]
    assert len(outcome.calls) == sum(end >= call - (not is_cut) for call in ends)  # a last bracket may be missing


LONG = {
    "marks": "`" * 20_000,
    "tags": "<tool_call>" * 2_000,
    "tags of JSON": '<tool_call>{"arguments":"' * 1_000,
    "fences": '```tool_calls\n{"a":"' * 1_000,
    "fences of JSON": '```json\n{"id":"' * 1_333,
    "brackets": "[" * 20_000,
    "bare": '{"arguments":' * 1_666,
    "line feeds": "\n" * 20_000,
    "invocations": '<invoke name="get_weather"><parameter name="city">x' * 400,
    "calls": "```tool_calls\n" + '{"name":"list_files"}\n' * 1_000,
    "broken calls": "```tool_calls\n" + '{"name":"list_files",{\n' * 1_000,
    "quotes": '```tool_calls\n{"name":"list_files","a":"' + '" "' * 6_666,
    "fences in a string": '```tool_calls\n{"name":"write_file","arguments":{"content":"' + "x\n```\n" * 3_333,
    "names": "<tool_call>" + "a" * 20_000,
    "results": "[result of " * 2_000,
}


@pytest.mark.parametrize("size", [4, 100_000])
@pytest.mark.parametrize("kind", LONG)
def test_nothing_takes_long(kind: str, size: int) -> None:
    """All take less than a tenth of a second; quadratic time would be more than a second."""
    before = time.process_time()

    read(pieces_of(LONG[kind], size))

    assert time.process_time() - before < 0.7


def test_marks_that_begin_nothing_take_no_long_time_in_a_long_text_that_comes_at_once() -> None:
    """About 0.1 s; time that grows with the square of the length would be several seconds."""
    text = ("word " * 40 + "[1] ") * 20_000 + "."
    before = time.process_time()

    assert read([text]).text == text
    assert time.process_time() - before < 1


def test_text_passes_at_once_unless_it_may_start_a_call() -> None:
    reader = CallReader(ToolConfig((WEATHER,)), str)
    steps = {
        "Hello": "Hello",
        " there": " there",
        ".\n\n": ".",
        "`": "",
        "``": "",
        "tool": "",
        "_calls\n": "",
        '{"name":"other"}': '\n\n```tool_calls\n{"name":"other"}',
        "\n": "\n",
    }
    for piece, expected in steps.items():
        assert "".join(str(event) for event in reader.feed(piece)) == expected


def test_json_that_is_no_call_passes_as_soon_as_that_is_clear() -> None:
    reader = CallReader(OFFER, str)

    deltas = ["".join(map(str, reader.feed(piece))) for piece in ('{"', "ci", 'ty"', ": 1")]
    assert deltas == ["", '{"ci', 'ty"', ": 1"]


def test_calls_without_end_are_cut_off() -> None:
    text = "```tool_calls\n" + '{"name":"list_files","arguments":{}}\n' * 100_000
    outcome = read(pieces_of(text, 4096))

    assert len(outcome.calls) == MAX_CALLS


def test_after_the_fence_nothing_more_is_wanted() -> None:
    reader = CallReader(OFFER, lambda: "call_1")

    states = [
        (len(reader.feed(piece)), reader.is_done)
        for piece in (f"```tool_calls\n{CALL}", "\n", "`", "[result of x]", "y")
    ]

    assert states == [(1, False), (0, False), (0, True), (0, True), (0, True)]
    assert reader.end() == []


def test_text_that_cannot_begin_a_call_costs_little() -> None:
    """About 0.5 µs a token were measured; all that is done for a token of a stream costs tens of them."""
    tokens = [" word", "，你好", " and", " more", "."] * 2_000
    times = []
    for _ in range(5):
        reader = CallReader(OFFER, str)
        before = time.process_time()
        for token in tokens:
            reader.feed(token)
        times.append(time.process_time() - before)

    assert min(times) / len(tokens) < 5e-6
