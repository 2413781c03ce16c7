"""Prompts for models that take only text: histories with calls and results, and retries."""

from dataclasses import replace

import pytest

from proxy.chat.history import always_sent
from proxy.chat.tools.definitions import OutputFormat, Tool, ToolChoice, ToolConfig
from proxy.chat.tools.prompts import messages_as_text, result_text, retry_prompt, with_calls
from shared.conversations import Message, ToolCall, ToolResult
from tests.proxy.chat.tools.answer_reader import LIST, read

CALLS = (
    ToolCall(id="1", name="look", arguments="{}", namespace="a"),
    ToolCall(id="2", name="list_files", arguments="{}"),
)
EVERY_KIND = [
    ToolCall(id="1", name="get_weather", arguments='{"city": "北京"}'),
    ToolCall(id="2", name="apply_patch", arguments='*** Begin "x"\n', kind="custom"),
    ToolCall(id="3", name="list_files", arguments=""),
    ToolCall(id="4", name="get_weather", arguments="not JSON"),
]
FENCE = '```tool_calls\n{"name":"look","arguments":{}}\n{"name":"list_files","arguments":{}}\n```'
OFFER = ToolConfig((Tool("look", namespace="a"), Tool("list_files")))


def prompt_texts(*messages: Message) -> list[str]:
    """The texts that the model gets."""
    return [message.text for message in messages_as_text(messages, OFFER)]


def result(call_id: str, name: str = "", *, failed: bool = False) -> Message:
    """A result of a tool."""
    return Message(role="user", text="21", result=ToolResult(call_id=call_id, name=name, failed=failed))


def test_calls_of_earlier_are_told_as_the_model_would_write_them() -> None:
    text = with_calls("I look.\n", EVERY_KIND)

    assert text == "\n".join([
        "I look.", "", "```tool_calls",
        '{"name":"get_weather","arguments":{"city":"北京"}}',
        r'{"name":"apply_patch","arguments":{"input":"*** Begin \"x\"\n"}}',
        '{"name":"list_files","arguments":{}}',
        '{"name":"get_weather","arguments":"not JSON"}',
        "```",
    ])  # fmt: skip
    assert with_calls("", EVERY_KIND).startswith("```tool_calls\n")
    assert with_calls("text ", []) == "text "
    assert read([with_calls("I look.", EVERY_KIND[:3])]).text == "I look."
    assert [name for name, _ in read([with_calls("", EVERY_KIND[:3])]).calls] == [call.name for call in EVERY_KIND[:3]]


def test_results_begin_with_their_line() -> None:
    assert result_text("get_weather", "21") == "[result of get_weather]\n21"
    assert result_text("get_weather", "no", error=True) == "[error of get_weather]\nno"


def test_results_are_told_by_the_names_of_their_calls() -> None:
    message = Message(role="assistant", text=" ", calls=CALLS)

    results = result("1"), result("2", failed=True), result("3"), result("1", "other"), result("1", "a]\n[b")
    assert prompt_texts(message, *results) == [
        FENCE,
        "[result of look]\n21",
        "[error of list_files]\n21",
        "[result of tool]\n21",
        "[result of other]\n21",
        "[result of a_b]\n21",
    ]


@pytest.mark.parametrize("call_id", ["call_0", ""])
def test_results_of_calls_with_one_id_are_told_in_their_order(call_id: str) -> None:
    asked = Message(role="assistant", text="", calls=tuple(replace(call, id=call_id) for call in CALLS))
    answers = [result(call_id), result(call_id)]

    heads = [text.partition("\n")[0] for text in prompt_texts(asked, *answers, asked, *answers)]

    assert heads == ["```tool_calls", "[result of look]", "[result of list_files]"] * 2


def test_pictures_stay_with_their_result_and_all_else_stays_as_it_is() -> None:
    plain = Message(role="user", text="Hello", id="msg_1")
    pictured = Message(role="user", text="a picture", images=("0" * 64,), result=ToolResult(name="look"))

    assert messages_as_text([plain, pictured], None) == (
        plain,
        replace(pictured, text="[result of look]\na picture"),
    )


def test_a_retry_quotes_what_was_wrong() -> None:
    problem = read(['```tool_calls\n{"name":"get_weather","arguments":{"town":"Paris"}}\n```']).verdict.problem

    assert problem.startswith("the arguments of get_weather: ")
    assert "'town' was unexpected" in problem
    assert '"city" is a required property' in problem
    assert problem in retry_prompt(problem, ToolConfig(), is_json=False).text


@pytest.mark.parametrize(
    ("choice", "output_format", "expected"),
    [
        (ToolChoice(), None, "the corrected call"),
        (ToolChoice(), OutputFormat(), "the corrected call"),
        (ToolChoice("none"), None, "in text now, without calling a tool"),
        (ToolChoice("none"), OutputFormat(), "the corrected JSON"),
    ],
)
def test_a_retry_asks_for_no_call_where_none_may_be_made(
    choice: ToolChoice, output_format: OutputFormat | None, expected: str
) -> None:
    assert (
        expected in retry_prompt("oops", ToolConfig((LIST,), choice, output_format=output_format), is_json=False).text
    )


def test_what_an_agent_works_on_is_its_question_still_in_another_try() -> None:
    history = [Message(role="user", text="task"), Message(role="assistant", text="oops")]
    again = retry_prompt("oops", ToolConfig((LIST,)), is_json=False)

    assert always_sent([*history, again]) == [*history, again]


@pytest.mark.parametrize("nothing", ["", "{}", "null", " [] "])
def test_a_call_without_arguments_is_told_as_models_are_to_write_it(nothing: str) -> None:
    call = ToolCall(id="1", name="list_files", arguments=nothing)

    assert '{"name":"list_files","arguments":{}}' in prompt_texts(Message(role="assistant", text="", calls=(call,)))[0]
