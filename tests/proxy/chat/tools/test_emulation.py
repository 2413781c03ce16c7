"""When an upstream is stopped: once it writes on after its calls, and not while it only closes them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import pytest

from proxy.chat.emulation import Emulation
from proxy.chat.tools.call_reader import Verdict
from proxy.chat.tools.definitions import OutputFormat, ToolChoice, ToolConfig
from proxy.chat.upstream import StopReading
from shared.conversations import Message, ToolCall
from tests.proxy.chat.tools.answer_reader import LIST, OFFER, PATCH, WEATHER, WRITE, pieces_of, read
from tests.proxy.chat.tools.corpus import CALLS
from tests.proxy.chat.tools.samples import Sample

ONE_AT_A_TIME = ToolConfig((WEATHER, WRITE, LIST, PATCH), parallel=False)
GOES_ON = {  # by the samples' labels
    *("text afterwards", "a made-up result", "a made-up result within", "tool_call, then prose", "tool fence"),
    *(
        "json fence, then a made-up result",
        "invoke, then prose",
        "bare, then closed, then prose",
        "tool_call, then a made-up result",
    ),
    *("invoke, then a made-up result", "invoke, empty, then prose", "tool_name, then prose"),
    *("missing bracket, then a made-up result", "tool_call, then other JSON", "tool_call, then a word"),
}
BEFORE = Message(role="assistant", text="")
CALL = '```tool_calls\n{"name":"list_files","arguments":{}}\n```'


class Emitted(NamedTuple):
    """Text and calls passed to a client, and the verdict."""

    text: str
    calls: list[str]
    verdict: Verdict


def emit(text: str, offer: ToolConfig, *, earlier: Message | None = None, cut: bool = False) -> Emitted:
    """Feed *text*; *earlier*: the result of the attempt before."""
    shown: list[str] = []
    calls: list[str] = []

    def show(piece: str) -> bool:
        shown.append(piece)
        return True

    def give(call: ToolCall) -> bool:
        calls.append(call.name)
        return True

    reading = Emulation(offer, show, give, max_tokens=None, earlier=earlier)
    reading.feed(text)
    assert not (earlier and shown)
    verdict = reading.end(cut=cut)
    return Emitted("".join(shown), calls, verdict)


def feed(pieces: Iterable[str], offer: ToolConfig = OFFER) -> tuple[int, str]:
    """Return the number of calls and all the text read; raises `StopReading` once no more is wanted."""
    calls: list[ToolCall] = []

    def give(call: ToolCall) -> bool:
        calls.append(call)
        return True

    reading = Emulation(offer, lambda _: True, give, max_tokens=None, earlier=None)
    for piece in pieces:
        reading.feed(piece)
    reading.end(cut=False)
    return len(calls), reading.raw


@pytest.mark.parametrize("sample", [sample for sample in CALLS if sample.label not in GOES_ON], ids=lambda s: s.label)
@pytest.mark.parametrize("offer", [OFFER, ONE_AT_A_TIME], ids=["parallel", "one at a time"])
def test_what_closes_a_call_is_taken_with_it_in_any_pieces(sample: Sample, offer: ToolConfig) -> None:
    """Else the upstream's copy would not be known whole, and the next turn would send everything again."""
    if offer is ONE_AT_A_TIME and len(sample.calls) > 1:
        return
    for size in (1, 2, 3, 7):
        assert feed(pieces_of(sample.answer, size), offer) == (len(sample.calls), sample.answer)


@pytest.mark.parametrize(
    "after",
    [
        "\nIt is sunny.",
        "\n\n[result of list_files]\na.txt",
        '\n{"name":"list_files"}',
        "\n- so",
        "<tool_call> again",
        "。",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_text_after_calls_is_dropped(after: str, size: int) -> None:
    with pytest.raises(StopReading) as exc_info:
        feed([*pieces_of(CALL, 4), *pieces_of(after, size)])

    assert exc_info.value.end.reason == "tool_calls"


def test_another_call_where_one_alone_is_wanted_ends_it_too() -> None:
    with pytest.raises(StopReading):
        feed(pieces_of(CALL.replace("```tool_calls\n", '```tool_calls\n{"name":"list_files"}\n'), 3), ONE_AT_A_TIME)


@pytest.mark.parametrize("after", ["`" * 300, "</tool_call>" * 30, "\n" * 300, "<" * 300])
def test_closing_markup_is_bounded(after: str) -> None:
    with pytest.raises(StopReading):
        feed([CALL, *pieces_of(after, 10)])


def test_where_a_call_has_to_be_there_no_text_is_shown() -> None:
    offer = ToolConfig((LIST,), ToolChoice("required"))

    assert emit(f"Sure.\n{CALL}", offer) == ("", ["list_files"], Verdict())
    assert emit("No.", offer) == ("", [], Verdict("a call of a tool is required"))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        ('{"city": "Rome", "days": "2"}', ['{"city":"Rome","days":2}']),
        ('Here it is:\n```json\n{"city": "Rome"}\n```', ['{"city":"Rome"}']),
        ('```\n{"city": "Rome",}\n{"city": "Oslo"}\n```\n', ['{"city":"Rome"}', '{"city":"Oslo"}']),
        ('{"name": "get_weather", "arguments": {"city": "Rome"}}', ['{"city":"Rome"}']),
        ('{"city": "Rome"} is what I would call it with.', []),
        ('{"days": 2}', []),
        ('{"city": "Rome", "why": "you asked"}', []),
        ('{"name": "look_up", "arguments": {"city": "Rome"}}', []),
        ('["Rome"]', []),
        ('{"city": "Ro', []),
    ],
)
def test_arguments_alone_are_a_call_of_the_tool_that_has_to_be_called(answer: str, calls: list[str], size: int) -> None:
    named = ToolConfig((WEATHER, LIST), ToolChoice.of("get_weather"))
    for offer in (named, ToolConfig((WEATHER,), ToolChoice("required"))):
        read_calls = read(pieces_of(answer, size), offer).calls
        assert read_calls == [("get_weather", arguments) for arguments in calls]

    either = ToolConfig((WEATHER, LIST), ToolChoice("required"))
    assert bool(read(pieces_of(answer, size), either).calls) == ("get_weather" in answer)


@pytest.mark.parametrize("arguments", ["{}", '{"a":1}'])
def test_a_second_try_gives_what_is_new_and_shows_nothing_where_there_were_calls_before(arguments: str) -> None:
    earlier = replace(BEFORE, calls=(ToolCall(id="call_1", name="list_files", arguments=arguments),))
    is_new = arguments != "{}"

    assert emit(f"Again.\n{CALL}", OFFER, earlier=earlier) == ("", ["list_files"] * is_new, Verdict())
    assert emit("So.", OFFER, earlier=earlier) == ("", [], Verdict())


def test_a_call_that_is_repeated_in_another_order_is_no_new_one() -> None:
    call = ToolCall(id="call_1", name="write_file", arguments='{"path":"a","content":"x"}')
    again = '```tool_calls\n{"name":"write_file","arguments":{"content":"x","path":"a"}}\n```'

    assert emit(again, OFFER, earlier=replace(BEFORE, calls=(call,))) == ("", [], Verdict())


def test_a_second_try_that_is_text_is_shown_once_it_is_whole() -> None:
    assert emit("So.", OFFER, earlier=BEFORE) == ("So.", [], Verdict())
    assert emit("So.", OFFER, earlier=replace(BEFORE, text="Let me look.")) == ("\n\nSo.", [], Verdict())
    assert emit(f"So.\n{CALL}", OFFER, earlier=replace(BEFORE, text="Let me look.")) == ("", ["list_files"], Verdict())


def test_of_json_the_bare_text_is_shown_and_nothing_of_what_is_none() -> None:
    offer = ToolConfig((LIST,), output_format=OutputFormat())

    assert emit('Here:\n```json\n{"a": 1,}\n```', offer) == ('{"a":1}', [], Verdict(repaired=True, is_json=True))
    assert emit(f"Here.\n{CALL}", offer) == ("", ["list_files"], Verdict())
    broken = emit('```json\n{"a": [1]', offer, cut=True)
    assert (broken.text, bool(broken.verdict.problem), broken.verdict.is_json) == ("", True, True)


@pytest.mark.parametrize("size", [1, 1000])
def test_what_a_model_makes_up_does_not_count_towards_the_limit(size: int) -> None:
    made_up = "[result of list_files]\n" + "word " * 100
    reading = Emulation(OFFER, lambda _: True, lambda _: True, max_tokens=20, earlier=None)

    with pytest.raises(StopReading) as exc_info:
        list(map(reading.feed, pieces_of(f"So:\n{made_up}", size)))

    assert exc_info.value.end.reason == "stop"


def test_a_call_that_was_cut_off_is_told_as_half() -> None:
    assert emit(CALL[:30], OFFER, cut=True) == ("", [], Verdict(has_partial=True))


@pytest.mark.parametrize("made_up", ["[result of list_files]\na.txt", "[error of another_tool] \r\nno"])
def test_made_up_results_without_a_call_end_the_answer(made_up: str) -> None:
    with pytest.raises(StopReading) as exc_info:
        feed([f"It is.\n{made_up}"])

    assert exc_info.value.end.reason == "stop"
