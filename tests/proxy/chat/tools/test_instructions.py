"""Instructions: what the model is told of the tools, the choice among them, and the form of its answer."""

import json
import time
from typing import Any, Literal

import pytest

from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import OutputFormat, Tool, ToolChoice, ToolConfig
from proxy.chat.tools.prompts import instructions, with_calls
from shared.conversations import ToolCall
from tests.proxy.chat.tools.answer_reader import LIST, OFFER, WEATHER, read


def lines_of(text: str, word: str) -> list[Any]:
    """The lines in the fence opened by *word*."""
    lines = text.splitlines()
    begin = lines.index(f"```{word}") + 1
    return [json.loads(line) for line in lines[begin : lines.index("```", begin)]]


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


def test_an_answer_by_schema_is_told_what_it_is_for() -> None:
    text = instructions(ToolConfig(output_format=OutputFormat({"type": "object"}, "weather", "The weather of a city.")))

    assert text.startswith("It is for: The weather of a city.\n")


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
