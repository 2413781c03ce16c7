"""The corpus: calls are read as calls and text stays text, however the answer is split."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.chat.tools.definitions import Tool, ToolConfig
from tests.proxy.chat.tools.answer_reader import pieces_of, read
from tests.proxy.chat.tools.corpus import CALLS, TEXTS
from tests.proxy.chat.tools.samples import Sample

MARKUP = re.compile(r"tool_calls|<.?tool|invoke|parameter|function=|TOOL_CALLS|python_tag|[｜]")


@pytest.mark.parametrize("sample", CALLS, ids=lambda sample: sample.label)
def test_calls_are_read_as_calls(sample: Sample) -> None:
    outcome = read([sample.answer])

    assert outcome.verdict.problem == ""
    assert [name for name, _ in outcome.calls] == [name for name, _ in sample.calls]
    for (name, arguments), (_, expected) in zip(outcome.calls, sample.calls, strict=True):
        assert (arguments if name == "apply_patch" else json.loads(arguments)) == expected
    assert outcome.text == sample.text
    assert outcome.verdict.repaired == sample.repaired


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(text: str) -> None:
    outcome = read([text])

    assert outcome.text == text
    assert outcome.calls == []
    assert not outcome.verdict.has_partial
    assert not outcome.verdict.problem


def test_an_invalid_call_among_calls_is_reported_and_never_shown() -> None:
    fenced = read(['```tool_calls\n{"name":"list_files"}\n{"path":"a"}\n```'])
    tagged = read(["<function=list_files></function><function=other></function>"])

    assert (fenced.text, fenced.calls) == (tagged.text, tagged.calls) == ("", [("list_files", "{}")])
    assert '{"path":"a"}' in fenced.verdict.problem
    assert "there is no tool 'other'" in tagged.verdict.problem


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        *(("Well.", "```tool_calls\n"), ("", '```tool_calls\n{"name":"list_files"}\n{"name":"oth')),
        *(("So.", "<tool_call>"), ("The tag is", "<function=list_files>")),
        ("So.", '<function=write_file>{"name":"a","content":"x'),
        ("So.", "<function=write_file><parameter=path>a</parameter>\n<parameter=content>\nx = 1\ny ="),
        ("So.", '<invoke name="list_files"><parameter name="a">b</parameter><parameter name="c">d\n\ne'),
    ],
)
def test_an_answer_that_ends_before_its_call_is_reported(text: str, opening: str) -> None:
    outcome = read([f"{text}\n{opening}"])

    assert (outcome.text, outcome.verdict.problem) == (text, "the call was not complete")


def test_what_comes_before_a_call_that_breaks_off_is_given_whether_or_not_a_fence_is_around_it() -> None:
    calls = '{"name":"list_files","arguments":{}}\n{"name":"get_weather","arguments":{"ci'
    tags = "<function=list_files></function><function=get_weather><parameter=city>Pa"

    for answer in (f"```tool_calls\n{calls}", f"```json\n{calls}", calls, tags):
        outcome = read([answer], cut=True)
        assert (outcome.text, outcome.calls) == ("", [("list_files", "{}")])
        assert (outcome.verdict.has_partial, outcome.verdict.problem) == (True, "")


@pytest.mark.parametrize("name", ["get_weather", "other"])
@pytest.mark.parametrize("line_feed", ["\n", "\r\n"])
def test_a_line_that_imitates_a_result_ends_the_answer(name: str, line_feed: str) -> None:
    answer = line_feed.join(["It is.", f"[result of {name}]", "sunny"])

    for size in (1, 100):
        assert read(pieces_of(answer, size)).text == "It is."
        above_all = read(pieces_of(answer.removeprefix("It is."), size))
        assert (above_all.text.strip(), above_all.verdict.problem) == ("sunny", "")


def test_one_value_more_than_is_wanted_is_reported_and_never_left_out() -> None:
    parameter = '<parameter name="city">Paris</parameter>'
    outcome = read([f'<invoke name="get_weather">{parameter * 2}</invoke>'])

    assert (outcome.text, outcome.calls) == ("", [])
    assert 'city: ["Paris","Paris"] is not of type "string"' in outcome.verdict.problem


def test_arguments_in_tags_that_are_no_json_are_reported_and_never_shown() -> None:
    outcome = read(['<function=list_files>{"city": "Paris" "Rome"}</function>\nWell.'])

    assert (outcome.text, outcome.calls) == ("", [])
    assert outcome.verdict.problem.startswith("the call of list_files is no JSON")


@pytest.mark.parametrize("content", ['x ? "<br>" : y', 'print("```")', 's = " # " + x', 's = "// " + x'])
def test_a_text_that_a_quote_within_it_seems_to_end_is_never_given_in_part(content: str) -> None:
    call = f'{{"name":"write_file","arguments":{{"path":"a","content":"{content}"}}}}'

    for answer in (f"```tool_calls\n{call}\n```", f"<tool_call>{call}</tool_call>", f"<invoke>{call}\n</invoke>"):
        outcome = read([answer])
        assert outcome.text == ""
        assert [json.loads(arguments)["content"] for _, arguments in outcome.calls] in ([], [content])
        assert bool(outcome.calls) != bool(outcome.verdict.problem)


@pytest.mark.parametrize("answer", ["```tool_code\n{}()\n```", '<invoke name="{}"/>', '{{"name":"{}","args":{{}}}}'])
def test_a_name_in_another_case_is_that_of_the_one_tool_that_it_can_be(answer: str) -> None:
    offer = ToolConfig((Tool("Bash"), Tool("Read"), Tool("read"), Tool("run", namespace="Shell")))

    for spelled, called in {"bash": "Bash", "BASH": "Bash", "read": "read", "Read": "Read", "shell.Run": "run"}.items():
        assert read(pieces_of(answer.format(spelled), 1), offer).calls == [(called, "{}")]
    assert read([answer.format("READ")], offer).calls == []


ANSWERS = [sample.answer for sample in CALLS] + TEXTS


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.usefixtures("unmeasured")
def test_any_size_of_pieces_gives_the_same(answer: str) -> None:
    whole = read([answer])

    for size in (1, 2, 3, 4, 5, 7, 11, 23, 64):
        assert read(pieces_of(answer, size)) == whole


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.usefixtures("unmeasured")
def test_every_cut_gives_the_same(answer: str) -> None:
    whole = read([answer])

    for at in range(1, len(answer)):
        assert read([answer[:at], answer[at:]]) == whole


@given(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS), st.sampled_from(["", "\n", " ", "`"]), st.data())
@settings(deadline=None)
def test_any_cut_of_two_answers_in_one_gives_the_same(
    first: str, second: str, between: str, data: st.DataObject
) -> None:
    answer = first + between + second
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=8)))
    pieces = [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True)]
    is_cut = data.draw(st.booleans())

    assert read(pieces, cut=is_cut) == read([answer], cut=is_cut)


@pytest.mark.parametrize("sample", CALLS, ids=lambda sample: sample.label)
@pytest.mark.usefixtures("unmeasured")
def test_a_call_that_is_cut_off_is_never_given_and_never_shown(sample: Sample) -> None:
    whole = read([sample.answer])

    for end in range(len(sample.answer)):
        for is_cut in (True, False):
            outcome = read([sample.answer[:end]], cut=is_cut)
            if is_cut:
                assert not outcome.verdict.problem
                assert outcome.calls == whole.calls[: len(outcome.calls)], sample.answer[:end]
            shown = outcome.text.removeprefix(sample.text)
            assert sample.text.startswith(shown) or not MARKUP.search(shown), sample.answer[:end]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_that_is_cut_off_loses_only_what_may_begin_a_call(text: str) -> None:
    for end in range(len(text)):
        outcome = read([text[:end]], cut=True)
        assert text.startswith(outcome.text)
        assert outcome.calls == [] or outcome.calls == read([text[:end]]).calls
