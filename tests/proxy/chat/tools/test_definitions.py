"""Tool definitions of clients: invalid ones are refused with their field."""

from typing import Any

import pytest

from proxy.chat.errors import ServiceError
from proxy.chat.tools.definitions import FUNCTIONS, MESSAGES, RESPONSES, OutputFormat, Tool, ToolChoice, ToolConfig
from tests.proxy.chat.tools.answer_reader import LIST


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
