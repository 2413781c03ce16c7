"""Tools, choices, forms and calls of chat requests as clients write them: what is meant, or which field is wrong."""

from typing import Any

import pytest

from proxy.api import tools as chat
from proxy.api.tools import ToolOptions
from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import Tool
from shared.conversations import ToolCall, ToolKind
from tests.proxy.api.tools.test_configs import flat, names, nested, of_chat, plain


def call(identifier: str, name: str, arguments: str, kind: ToolKind = "function") -> ToolCall:
    """A call of a history."""
    return ToolCall(id=identifier, name=name, arguments=arguments, kind=kind)


WRONG_CHOICES: list[Any] = [
    *("sometimes", "", 7, [], {}, {"type": 5}, {"name": 5}, {"name": ""}, {"type": "function", "function": "a"}),
    *({"type": "allowed_tools"}, {"type": "allowed_tools", "allowed_tools": "a"}),
    *({"type": "allowed_tools", "allowed_tools": {"tools": [each]}} for each in ("a", 5, {}, {"type": 5}, {"name": 5})),
    *(
        {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [{"type": "mcp"}]}}
        for mode in ("required", "x")
    ),
]


@pytest.mark.parametrize("choice", WRONG_CHOICES, ids=str)
def test_a_choice_that_names_nothing_is_refused(choice: Any) -> None:
    with pytest.raises(ServiceError) as exc_info:
        of_chat(tools=[nested("a")], tool_choice=choice)

    error = exc_info.value
    assert (error.status, error.param, error.code) == (400, "tool_choice", "invalid_value")


@pytest.mark.parametrize(
    ("given", "tool"),
    [
        ({"function": {"name": "a"}}, Tool("a")),
        ({"type": "function", "name": "a", "strict": True}, Tool("a", strict=True)),
        (nested("a", strict="yes", description=None, parameters=None), Tool("a")),
        (nested("a", description="Looks.", parameters={"type": "object"}), Tool("a", "Looks.", {"type": "object"})),
        (plain("a", description="Looks."), Tool("a", "Looks.", {"type": "object"})),
        ({**plain("a"), "type": "custom"}, Tool("a", "", {"type": "object"})),
        (nested("a", "custom", description="Says.", format={"type": "text"}), Tool("a", "Says.", kind="custom")),
        *((nested("a", "custom", parameters=5, format=form), Tool("a", kind="custom")) for form in ({"grammar": 5}, 5)),
        ({**nested("a"), "name": "b"}, Tool("a")),
        (
            flat("a", "custom", description="Says.", format={"definition": "x"}),
            Tool("a", "Says.\nIts input has to follow this grammar (lark):\nx", kind="custom"),
        ),
    ],
    ids=str,
)
def test_a_tool_may_be_written_in_many_ways(given: dict[str, Any], tool: Tool) -> None:
    assert of_chat(tools=[given]).tools == (tool,)


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        (nested("a", description=5), "tools[0].function.description", "invalid_type"),
        (nested("a", parameters=[]), "tools[0].function.parameters", "invalid_type"),
        (plain("a", input_schema=5), "tools[0].parameters", "invalid_type"),
        ({"type": "function", "function": {"name": 5}}, "tools[0].function.name", "invalid_type"),
        ({"type": "function", "function": 5}, "tools[0].function", "invalid_type"),
        ({"type": "custom"}, "tools[0].custom", "invalid_type"),
        ({"type": 5}, "tools[0]", "invalid_value"),
        ("a", "tools[0]", "invalid_type"),
    ],
    ids=str,
)
def test_a_tool_that_cannot_be_meant_is_refused_by_its_field(given: Any, param: str, code: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        of_chat(tools=[given])

    assert (exc_info.value.status, exc_info.value.param, exc_info.value.code) == (400, param, code)


def test_tools_of_other_types_are_left_to_an_upstream_that_has_tools() -> None:
    others = [{"type": "web_search"}, nested("a"), {"type": "mcp", "server_label": "x"}]

    assert names(chat.read_tool_options({"tools": others}, "native").tool_config) == ["a"]
    refused: list[tuple[Any, chat.ToolsMode]] = [(others, "emulate"), ([{"type": 5}], "native")]
    for wrong, mode in refused:
        with pytest.raises(ServiceError):
            chat.read_tool_options({"tools": wrong}, mode)


def test_an_older_function_is_one_whatever_type_it_claims() -> None:
    assert of_chat(functions=[{"type": "custom", "name": "a", "function": {"name": "b"}}]).tools == (Tool("a"),)


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        ({"tool_calls": [{"id": "1", **nested("a", arguments="{}")}]}, [call("1", "a", "{}")]),
        ({"tool_calls": [nested("a", arguments={"b": 1})]}, [call("", "a", '{"b":1}')]),
        ({"tool_calls": [{"id": 5, **nested("a")}]}, [call("", "a", "")]),
        ({"tool_calls": [nested("a", "custom", input="hi")]}, [call("", "a", "hi", kind="custom")]),
        ({"function_call": {"name": "a", "arguments": ""}}, [call("", "a", "")]),
        (
            {"tool_calls": [nested("a")], "function_call": {"name": "b"}},
            [call("", "a", ""), call("", "b", "")],
        ),
        ({"tool_calls": [5, {}, nested(""), {"function": {"name": 5}}, {"function": 5}], "function_call": 5}, []),
        ({"tool_calls": {"function": {"name": "a"}}, "function_call": None}, []),
    ],
    ids=str,
)
def test_calls_of_a_history_are_read_in_any_shape(message: dict[str, Any], calls: list[ToolCall]) -> None:
    assert list(chat.read_calls(message)) == calls


ODD_FORMS: list[Any] = ["json_object", 5, [], {}]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        *(({"type": kind}, "response_format") for kind in ("json", "", None, 5)),
        *((each, "response_format") for each in ODD_FORMS),
        ({"type": "json_schema"}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "json_schema": {"schema": 5}}, "response_format.json_schema.schema"),
        ({"type": "json_schema", "schema": {}}, "response_format.json_schema.schema"),
    ],
    ids=str,
)
def test_a_form_that_cannot_be_meant_is_refused_by_its_field(form: Any, param: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        of_chat(response_format=form)

    assert (exc_info.value.status, exc_info.value.param) == (400, param)
    assert chat.read_tool_options({"response_format": {"type": "text"}}, "emulate") == ToolOptions()
