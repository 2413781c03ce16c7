"""Calls that were found: they are checked against the tools of the request, their schemas and the choice."""

import pytest

from proxy.chat.tools.call_reader import CallReader
from proxy.chat.tools.definitions import Tool, ToolChoice, ToolConfig
from tests.proxy.chat.tools.answer_reader import LIST, PATCH, WEATHER, pieces_of, read


@pytest.mark.parametrize("spelled", ["functions.find", "functions.functions.find"])
def test_a_name_may_begin_as_models_begin_all_names(spelled: str) -> None:
    offer = ToolConfig((Tool("functions.find"),))

    for size in (1, 100):
        answer = pieces_of(f"<tool_call>{spelled}\n</tool_call>", size)
        assert read(answer, offer).calls == [("functions.find", "{}")]
        answer = pieces_of(f'```tool_calls\n{{"name":"{spelled}"}}\n```', size)
        assert read(answer, offer).calls == [("functions.find", "{}")]


@pytest.mark.parametrize(
    ("offer", "calls", "problem"),
    [
        (ToolConfig((LIST, PATCH), parallel=False), ["list_files"], ""),
        (ToolConfig((LIST, PATCH), ToolChoice("none")), [], "list_files may not be called now"),
        (ToolConfig((LIST, PATCH), ToolChoice.of("apply_patch")), ["apply_patch"], "list_files may not be called now"),
        (ToolConfig((LIST, PATCH), ToolChoice("required")), ["list_files", "apply_patch"], ""),
    ],
)
def test_tool_choice_is_enforced(offer: ToolConfig, calls: list[str], problem: str) -> None:
    outcome = read(['```tool_calls\n{"name":"list_files"}\n{"name":"apply_patch","arguments":"x"}\n```'], offer)

    assert ([name for name, _ in outcome.calls], outcome.verdict.problem) == (calls, problem)


def test_of_a_list_of_calls_too_only_one_is_taken_where_one_alone_is_wanted() -> None:
    calls = '```tool_calls\n[{"name":"list_files"},{"name":"list_files"}]\n```'

    assert len(read([calls], ToolConfig((LIST,))).calls) == 2
    assert len(read([calls], ToolConfig((LIST,), parallel=False)).calls) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('{"name":"list_files"}\n{"name":"nothing"}', "this is no call of a tool: "),
        ('[{"name":"list_files"},{"name":"nothing"}]', "there is no tool 'nothing'"),
        ('{"name":"list_files","arguments":[1]}', "the arguments of list_files: an object is wanted"),
        ('{"name":"list_files","arguments":{"a":1e999}}', "the arguments of list_files: "),
    ],
)
def test_an_invalid_call_is_reported(call: str, message: str) -> None:
    outcome = read([f"```tool_calls\n{call}\n```"], ToolConfig((LIST,)))

    assert outcome.verdict.problem.startswith(message)
    assert outcome.text == ""


@pytest.mark.parametrize("fence", ["", "```json\n", "```tool_calls\n"])
def test_json_that_names_no_tool_is_text_as_soon_as_that_is_known(fence: str) -> None:
    reading = CallReader(ToolConfig((LIST,)), lambda: "call_1")
    begun = f'{fence}{{"name":"nothing","arguments":{{"text":"'

    assert "".join(map(str, reading.feed(begun))) == begun


def test_arguments_alone_are_a_call_of_the_one_tool_but_for_a_fence_of_calls() -> None:
    offer, arguments = ToolConfig((WEATHER,), ToolChoice.of("get_weather")), '{"city":"Paris"}'

    assert read([f"```json\n{arguments}\n```"], offer).calls == [("get_weather", arguments)]
    assert read([f"```tool_calls\n{arguments}\n```"], offer).calls == []


@pytest.mark.parametrize(
    ("argument", "expected"), [("null", ""), ('{"a":1,"b":"x"}', '{"a":1,"b":"x"}'), ('["a"]', '["a"]'), ("7", "7")]
)
def test_a_custom_tool_gets_what_is_no_text_as_json(argument: str, expected: str) -> None:
    outcome = read([f'```tool_calls\n{{"name":"apply_patch","arguments":{argument}}}\n```'], ToolConfig((PATCH,)))

    assert outcome.calls == [("apply_patch", expected)]


def test_a_call_that_has_to_be_there_and_is_not_is_trouble() -> None:
    assert read(["No."], ToolConfig((LIST,), ToolChoice("required"))).verdict.problem == "a call of a tool is required"
    named = read(["No."], ToolConfig((LIST,), ToolChoice.of("list_files"))).verdict
    assert named.problem == "a call of list_files is required"
    assert read(["No."], ToolConfig((LIST,))).verdict.problem == ""
