"""Tool definitions of clients: invalid ones are refused with their field, valid ones are described to the model."""

import json
import time
from typing import Any, Literal

import pytest

from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import FUNCTIONS, MESSAGES, RESPONSES, OutputFormat, Tool, ToolChoice, ToolConfig
from proxy.chat.tools.prompts import instructions, result_text, with_calls
from shared.conversations import ToolCall
from tests.proxy.chat.tools.answer_reader import LIST, OFFER, PATCH, WEATHER, pieces_of, read


@pytest.mark.parametrize(
    ("offer", "param"),
    [
        ({"tools": (LIST, Tool(""))}, "tools[1].function.name"),
        ({"tools": (Tool("two words"),)}, "tools[0].function.name"),
        ({"tools": (Tool("a" * 129),)}, "tools[0].function.name"),
        ({"tools": (Tool("a", namespace="n" * 129),)}, "tools[0].function.name"),
        ({"tools": (LIST, LIST)}, "tools[1].function.name"),
        ({"tools": (LIST, LIST), "fields": RESPONSES}, "tools[1].name"),
        ({"tools": (Tool("a", namespace="n"), Tool("a", namespace="n"))}, "tools[1].function.name"),
        ({"tools": (Tool("n__a"), Tool("a", namespace="n"), Tool("a", namespace="m"))}, "tools"),
        ({"tools": (Tool("a", parameters={"type": "strin"}),)}, "tools[0].function.parameters"),
        ({"tools": (Tool("a", parameters={"type": "strin"}),), "fields": FUNCTIONS}, "functions[0].parameters"),
        ({"tools": (Tool("a", parameters={"type": "strin"}),), "fields": MESSAGES}, "tools[0].input_schema"),
        ({"tools": (Tool("a", parameters={"$ref": "http://example.com/"}),)}, "tools[0].function.parameters"),
        ({"tools": tuple(Tool(f"t{number}") for number in range(129))}, "tools"),
        ({"choice": ToolChoice("required")}, "tool_choice"),
        ({"choice": ToolChoice("auto", ("a",))}, "tool_choice"),
        ({"choice": ToolChoice.of("a"), "fields": FUNCTIONS}, "function_call"),
        ({"tools": (LIST,), "choice": ToolChoice.of("a")}, "tool_choice"),
        ({"tools": (LIST,), "choice": ToolChoice("auto", ("list_files", "a"))}, "tool_choice"),
        ({"output_format": OutputFormat({"type": 3})}, "response_format.json_schema.schema"),
        ({"output_format": OutputFormat({"type": 3}), "fields": RESPONSES}, "text.format.schema"),
    ],
)
def test_invalid_definitions_are_refused_with_their_field(offer: dict[str, Any], param: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        ToolConfig(**offer)
    assert (exc_info.value.status, exc_info.value.param) == (400, param)


def test_valid_definitions_are_accepted() -> None:
    ToolConfig()
    ToolConfig(choice=ToolChoice("none"))
    ToolConfig(tuple(Tool(f"t{number}") for number in range(128)), ToolChoice("required"))
    ToolConfig((Tool("mcp.server/tool-1"), Tool("天气")), ToolChoice("auto", ("天气",)))
    ToolConfig(output_format=OutputFormat())


def test_a_pattern_of_another_dialect_is_reported_and_not_checked() -> None:
    """One odd tool of a server of tools must not keep an agent from all the others."""
    parameters = {"type": "object", "properties": {"city": {"type": "string", "pattern": r"^[\w-.]+$"}}}
    offer = ToolConfig((Tool("look", parameters=parameters), LIST))

    assert lines_of(instructions(offer), "tools")[0]["parameters"] == parameters
    assert read(['```tool_calls\n{"name":"look","arguments":{"city":"St. Ives"}}\n```'], offer).calls == [
        ("look", '{"city":"St. Ives"}')
    ]
    with pytest.raises(ServiceError):
        ToolConfig(output_format=OutputFormat(parameters))


def lines_of(text: str, word: str) -> list[Any]:
    """The lines in the fence opened by *word*."""
    lines = text.splitlines()
    begin = lines.index(f"```{word}") + 1
    return [json.loads(line) for line in lines[begin : lines.index("```", begin)]]


def test_definitions_are_one_object_a_line() -> None:
    text = instructions(OFFER)

    assert lines_of(text, "tools")[0] == {
        "name": "get_weather", "description": "The weather of a city.", "parameters": WEATHER.parameters,
    }  # fmt: skip
    assert [line["name"] for line in lines_of(text, "tools")] == [
        "get_weather",
        "write_file",
        "list_files",
        "apply_patch",
    ]
    assert lines_of(text, "tools")[3]["parameters"]["required"] == ["input"]
    assert lines_of(text, "tool_calls") == [{"name": "NAME", "arguments": {}}]
    assert "tool choice" not in text
    assert instructions(ToolConfig()) == ""


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        (ToolChoice("none"), "tool choice: none"),
        (ToolChoice("required"), "tool choice: required"),
        (ToolChoice.of("list_files"), "tool choice: list_files"),
        (ToolChoice("required", ("list_files", "get_weather")), "tool choice: required"),
        (ToolChoice("auto", ("list_files",)), "Call only: list_files."),
    ],
)
def test_a_choice_has_a_line(choice: ToolChoice, line: str) -> None:
    assert line in instructions(ToolConfig((LIST, WEATHER), choice)).splitlines()


@pytest.mark.parametrize(
    ("chosen", "lines"),
    [
        (ToolChoice.of("find"), ["tool choice: required", "Call only: a__find, b__find."]),
        (ToolChoice.of("other"), ["tool choice: other"]),
        (ToolChoice("auto", ("find", "other")), ["Call only: a__find, b__find, other."]),
    ],
)
def test_a_choice_names_tools_as_their_definitions_do(chosen: ToolChoice, lines: list[str]) -> None:
    tools = (Tool("find", namespace="a"), Tool("find", namespace="b"), Tool("other", namespace="b"))
    text = instructions(ToolConfig(tools, chosen)).splitlines()

    assert [line for line in text if line.startswith(("tool choice", "Call only"))] == lines
    found = ToolConfig((LIST, Tool("look", namespace="a", is_found=True)), ToolChoice.of("look"))
    assert "tool choice: a__look" in instructions(found).splitlines()  # as it was told where it was found
    problem = read(["No."], ToolConfig(tools, ToolChoice.of("find"))).verdict.problem
    assert problem == "a call of a__find or b__find is required"


def test_a_schema_is_in_one_line() -> None:
    schema = {"type": "object", "properties": {"größe": {"type": "integer"}}}

    assert lines_of(instructions(ToolConfig(output_format=OutputFormat(schema))), "json_schema") == [schema]
    assert "answer format: json_object" in instructions(ToolConfig(output_format=OutputFormat())).splitlines()


@pytest.mark.parametrize(("mode", "may_call"), [("auto", True), ("required", True), ("none", False)])
def test_a_schema_leaves_room_for_calls_where_they_may_be_made(
    mode: Literal["auto", "required", "none"], may_call: bool
) -> None:
    for output_format in (OutputFormat({"type": "object"}), OutputFormat()):
        text = instructions(ToolConfig((LIST,), ToolChoice(mode), output_format=output_format))
        assert ("Unless you call a tool, answer with " in text) == may_call


@pytest.mark.parametrize(
    ("parallel", "mode", "is_told"), [(False, "auto", True), (False, "none", False), (True, "auto", False)]
)
def test_where_one_call_alone_may_be_made_the_model_is_told(
    parallel: bool, mode: Literal["auto", "none"], is_told: bool
) -> None:
    text = instructions(ToolConfig((LIST,), ToolChoice(mode), parallel))

    assert ("Write one call at most." in text.splitlines()) == is_told


def test_a_description_is_cut() -> None:
    text = instructions(ToolConfig((Tool("a", "x" * 20_000),)))

    assert lines_of(text, "tools")[0]["description"] == "x" * 16_000 + " …"
    assert (
        lines_of(instructions(ToolConfig((Tool("a", "é字" * 4000),))), "tools")[0]["description"] == "é字" * 3200 + " …"
    )


CALLS = [
    ToolCall(id="1", name="get_weather", arguments='{"city": "北京"}'),
    ToolCall(id="2", name="apply_patch", arguments='*** Begin "x"\n', kind="custom"),
    ToolCall(id="3", name="list_files", arguments=""),
    ToolCall(id="4", name="get_weather", arguments="not JSON"),
]


def test_calls_of_earlier_are_told_as_the_model_would_write_them() -> None:
    text = with_calls("I look.\n", CALLS)

    assert text == "\n".join([
        "I look.", "", "```tool_calls",
        '{"name":"get_weather","arguments":{"city":"北京"}}',
        r'{"name":"apply_patch","arguments":{"input":"*** Begin \"x\"\n"}}',
        '{"name":"list_files","arguments":{}}',
        '{"name":"get_weather","arguments":"not JSON"}',
        "```",
    ])  # fmt: skip
    assert with_calls("", CALLS).startswith("```tool_calls\n")
    assert with_calls("text ", []) == "text "
    assert read([with_calls("I look.", CALLS[:3])]).text == "I look."
    assert [name for name, _ in read([with_calls("", CALLS[:3])]).calls] == [call.name for call in CALLS[:3]]


def test_results_begin_with_their_line() -> None:
    assert result_text("get_weather", "21") == "[result of get_weather]\n21"
    assert result_text("get_weather", "no", error=True) == "[error of get_weather]\nno"


def test_a_namespace_is_told_only_where_it_is_needed_and_set_again() -> None:
    offer = ToolConfig((Tool("find", namespace="mcp__a__"), Tool("find", namespace="b"), Tool("other", namespace="b")))

    assert [line["name"] for line in lines_of(instructions(offer), "tools")] == ["mcp__a__find", "b__find", "other"]
    for spelled, calls in {
        "b__find": [("find", "{}")], "other": [("other", "{}")], "b.other": [("other", "{}")], "find": [],
    }.items():  # fmt: skip
        assert read(['```tool_calls\n{"name":"' + spelled + '"}\n```'], offer).calls == calls
    encoded = with_calls(
        "",
        [
            ToolCall(id="1", name="find", arguments="{}", namespace="b"),
            ToolCall(id="2", name="other", arguments="{}", namespace="b"),
        ],
        offer,
    )
    assert '"b__find"' in encoded
    assert '"other"' in encoded


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


def test_thirty_tools_cost_little_from_turn_to_turn() -> None:
    """At most 2 ms of processor time for 60 kB; 0.2 ms were measured."""
    properties = {f"p{number}": {"type": "string", "description": "z" * 80} for number in range(9)}
    tools = [{"name": f"tool_{n}", "parameters": {"type": "object", "properties": properties}} for n in range(30)]

    def turn() -> str:
        return instructions(ToolConfig(tuple(Tool(str(t["name"]), "Does. " * 120, t["parameters"]) for t in tools)))  # type: ignore[arg-type]

    assert len(turn()) > 55_000
    times = []
    for _ in range(20):
        before = time.process_time()
        turn()
        times.append(time.process_time() - before)
    assert min(times) < 0.002
