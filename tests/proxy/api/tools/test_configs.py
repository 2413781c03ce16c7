"""Tools, tool choice and output format of a request, in the spelling of each API."""

from typing import Any

import pytest

from proxy.api import tools as chat
from proxy.api.messages import tools as messages
from proxy.api.responses import tools as responses
from proxy.api.tools import ToolOptions
from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import MAX_TOOLS, OutputFormat, ToolChoice, ToolConfig


def flat(name: str, kind: str = "function", **more: Any) -> dict[str, Any]:
    """A tool as Responses have it."""
    return {"type": kind, "name": name, **more}


def nested(name: str, kind: str = "function", **more: Any) -> dict[str, Any]:
    """A tool as chat completions have it."""
    return {"type": kind, kind: {"name": name, **more}}


def plain(name: str, **more: Any) -> dict[str, Any]:
    """A tool as Anthropic's API has it."""
    return {"name": name, "input_schema": {"type": "object"}, **more}


def of_chat(**body: Any) -> ToolConfig:
    """What a chat request offers."""
    offer = chat.read_tool_options(body, "emulate").tool_config
    assert offer is not None
    return offer


def names(offer: ToolConfig | None) -> list[str]:
    """The names of its tools."""
    return [tool.name for tool in offer.tools] if offer else []


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_an_empty_list_of_tools_may_come_with_a_choice_that_calls_none(choice: str) -> None:
    assert chat.read_tool_options({"tools": [], "tool_choice": choice}, "emulate") == ToolOptions()
    assert responses.read_tool_options({"tools": [], "tool_choice": choice}, "emulate") == ToolOptions()
    with pytest.raises(ServiceError):
        chat.read_tool_options({"tool_choice": choice}, "emulate")


def test_of_tools_and_the_older_functions_the_tools_hold() -> None:
    old: dict[str, Any] = {"functions": [{"name": "old"}], "function_call": {"name": "old"}}
    both = of_chat(**old, tools=[nested("new")])

    assert (names(both), both.choice, both.parallel) == (["new"], ToolChoice(), True)
    assert (names(of_chat(**old)), of_chat(**old).choice, of_chat(**old).parallel) == (
        ["old"],
        ToolChoice.of("old"),
        False,
    )
    assert of_chat(tools=[nested("new")], parallel_tool_calls=False).parallel is False
    text_format = of_chat(response_format={"type": "json_object"})
    assert (text_format.choice, text_format.output_format) == (ToolChoice(), OutputFormat())


def test_of_many_tools_the_one_that_cannot_be_used_is_reported() -> None:
    """Agents show the message alone, and theirs are the tools of a dozen MCP servers."""
    for wrong in ({"name": "get_lists", "parameters": {"required": None}}, {"name": "get lists"}):
        with pytest.raises(ServiceError, match=f"'{wrong['name']}' cannot"):
            of_chat(tools=[nested("a"), {"type": "function", "function": wrong}])


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_a_schema_may_stand_beside_the_type(kind: str) -> None:
    """Programs written for llama.cpp, Fireworks or Together have it there, and rely on what it says."""
    schema = {"type": "object", "required": ["city"]}

    assert of_chat(response_format={"type": kind, "schema": schema}).output_format == OutputFormat(schema)
    assert of_chat(response_format={"type": "json_object", "schema": {}}).output_format == OutputFormat()


@pytest.mark.parametrize("kind", ["json_object", "json"])
def test_a_schema_may_be_the_value_of_the_type(kind: str) -> None:
    """Text Generation Inference has it so, and huggingface_hub writes OpenAI's form as `json_object` with a value."""
    schema = {"type": "object", "required": ["city"]}

    assert of_chat(response_format={"type": kind, "value": schema}).output_format == OutputFormat(schema)
    with pytest.raises(ServiceError, match="json_object or json_schema"):
        of_chat(response_format={"type": "json"})


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        *((each, ToolChoice("required")) for each in ("any", "required", {"type": "any"})),
        *((each, ToolChoice("none")) for each in ("none", {"type": "none"})),
        *((each, ToolChoice()) for each in (None, "auto", {"type": "auto"})),
        ({"name": "a"}, ToolChoice.of("a")),
        ({"function": {"name": "a"}}, ToolChoice.of("a")),
        (nested("a"), ToolChoice.of("a")),
        (flat("a"), ToolChoice.of("a")),
        (nested("a", "custom"), ToolChoice.of("a")),
        ({"type": "allowed_tools", "allowed_tools": {"tools": [nested("a")]}}, ToolChoice("auto", ("a",))),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [nested("a"), {"type": "mcp"}]}},
            ToolChoice("required", ("a",)),
        ),
        ({"type": "allowed_tools", "mode": "required", "tools": [flat("a")]}, ToolChoice("required", ("a",))),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, ToolChoice("required")),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]}}, ToolChoice("none")),
    ],
    ids=str,
)
def test_a_choice_may_be_spelled_in_many_ways(choice: Any, expected: ToolChoice) -> None:
    body = {"tools": [flat("a"), flat("b")], "tool_choice": choice}
    by_response = responses.read_tool_options(body, "emulate").tool_config

    assert of_chat(tools=[nested("a"), nested("b")], tool_choice=choice).choice == expected
    assert by_response is not None
    assert by_response.choice == expected


def test_what_belongs_to_a_tool_comes_with_it() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[0-9]+"}}
    strict, custom = of_chat(tools=[nested("a", strict=True), nested("b", "custom", format=grammar)]).tools

    assert (strict.strict, custom.strict, custom.kind) == (True, False, "custom")
    assert custom.description.endswith("grammar (regex):\n[0-9]+")


def test_a_schema_may_be_true_and_has_texts_for_names() -> None:
    text_format: dict[str, Any] = {"name": "it", "schema": True}

    assert of_chat(response_format={"type": "json_schema", "json_schema": text_format}).output_format == OutputFormat(
        True, "it"
    )
    for wrong, field in (({"description": 5}, ""), ({"name": 5}, ""), ({"schema": None}, ".schema")):
        with pytest.raises(ServiceError) as exc_info:
            of_chat(response_format={"type": "json_schema", "json_schema": {**text_format, **wrong}})
        assert (exc_info.value.param, exc_info.value.code) == (f"response_format.json_schema{field}", "invalid_type")


def test_a_namespaces_tools_may_lack_their_type_and_the_namespace_its_name() -> None:
    tools = [
        {"type": "namespace", "name": "n", "tools": [{"name": "a"}, flat("c", "custom")]},
        {"type": "namespace", "name": 5, "tools": [flat("b")]},
    ]
    offer = responses.read_tool_options({"tools": tools}, "emulate").tool_config

    assert offer is not None
    assert [(tool.namespace, tool.name) for tool in offer.tools] == [("n", "a"), ("n", "c"), (None, "b")]


def test_of_too_many_tools_that_were_found_the_last_ones_are_kept() -> None:
    def found(*tools: dict[str, Any], by: str = "client") -> dict[str, Any]:
        return {"type": "tool_search_output", "execution": by, "tools": list(tools)}

    items = [
        found(*(flat(f"old{number}") for number in range(MAX_TOOLS))),
        found(flat("new"), flat("two words"), flat("wrong", parameters={"type": "strin"})),
        found(flat("theirs"), by="server"),
    ]
    body = {"tools": [{"type": "tool_search", "execution": "client"}, flat("given")], "input": items}
    offered = names(responses.read_tool_options(body, "emulate").tool_config)

    assert (len(offered), offered[:3]) == (MAX_TOOLS, ["tool_search", "given", "new"])
    assert not {"two words", "wrong", "theirs", f"old{MAX_TOOLS - 1}"} & set(offered)
    assert names(responses.read_tool_options({**body, "tools": [flat("given")]}, "emulate").tool_config) == ["given"]


SEARCH = {"type": "web_search_20250305", "name": "look_up"}


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({"tools": [SEARCH], "tool_choice": {"type": "tool", "name": "look_up"}}, ToolOptions(searches=True)),
        (
            {"tools": [SEARCH, plain("a")], "tool_choice": {"type": "tool", "name": "look_up"}},
            ToolOptions(searches=True),
        ),
        ({"tools": [SEARCH], "tool_choice": {"type": "any"}}, ToolOptions(searches=True)),
        ({"tools": [SEARCH], "tool_choice": {"type": "none"}}, ToolOptions()),
        (
            {"tools": [SEARCH, {"type": "web_fetch_20250910", "name": "web_fetch"}]},
            ToolOptions(left_out=("tools.web_fetch_20250910",)),
        ),
        (
            {"tools": [{"type": "an odd one"}, {"type": "bash"}, {"type": "bash"}]},
            ToolOptions(left_out=("tools.bash",)),
        ),
        ({"output_config": {"format": None}}, ToolOptions()),
        (
            {"output_config": {"effort": "low"}, "output_format": {"type": "json_object"}},
            ToolOptions(ToolConfig(output_format=OutputFormat())),
        ),
    ],
    ids=str,
)
def test_what_anthropics_own_servers_bring_is_searched_for_or_left_out(
    body: dict[str, Any], options: ToolOptions
) -> None:
    assert messages.read_tool_options(body, "emulate") == options


def test_a_message_may_want_a_form_whatever_is_said_of_tools() -> None:
    text_format = {"format": {"type": "json_object"}}
    only = messages.read_tool_options(
        {"output_config": text_format, "tool_choice": {"type": "none"}}, "emulate"
    ).tool_config
    both = messages.read_tool_options({"output_config": text_format, "tools": [plain("a")]}, "emulate").tool_config

    assert only == ToolConfig(output_format=OutputFormat())
    assert both is not None
    assert (names(both), both.output_format) == (["a"], OutputFormat())


@pytest.mark.parametrize(
    ("kind", "by", "left"),
    [("tool_search_tool_regex", "server", ["a", "b"]), ("custom", "client", ["a"])],
)
def test_a_deferred_tool_is_described_at_once_if_nothing_can_find_it(kind: str, by: str, left: list[str]) -> None:
    finder = {"type": kind, **plain(f"search_by_{by}")}
    offer = messages.read_tool_options(
        {"tools": [finder, plain("a"), plain("b", defer_loading=True)]}, "emulate"
    ).tool_config

    assert offer is not None
    assert [tool.name for tool in offer.tools if not tool.is_found and tool.name in "ab"] == left
    alone = messages.read_tool_options({"tools": [plain("b", defer_loading=True)]}, "emulate").tool_config
    assert alone is not None
    assert not alone.tools[0].is_found
