"""The tools of a request, which of them may or must be called, and the output format."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from proxy.chat.errors import bad_request
from proxy.chat.tools.schema import InvalidSchema, compile_schema
from shared.conversations import ToolKind

MAX_TOOLS = 128
MAX_NAME = 128  # characters
MAX_DESCRIPTION = 16_000  # bytes
# A name has to stand in a line such as `[result of NAME]`, whatever the client's API allows in one.
_NAME = re.compile(rf"""[^\s"'`<>\[\]{{}}()\\\x00-\x1f]{{1,{MAX_NAME}}}""")
_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. A custom tool takes free text, which the model passes as the only argument `input`."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | None = None
    kind: ToolKind = "function"
    strict: bool = False
    namespace: str | None = None
    is_found: bool = False  # a tool search returned its definition

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the arguments."""
        if self.kind == "custom":
            return _INPUT
        return {"type": "object", "properties": {}} if self.parameters is None else self.parameters


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools may (`auto`), must (`required`) or must not (`none`) be called; *names*: only these."""

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str) -> "ToolChoice":
        """Exactly this tool must be called."""
        return cls("required", (name,))


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The format of the answer: JSON that fits *schema*; without a schema, any JSON object."""

    schema: Mapping[str, Any] | bool | None = None
    name: str = ""
    description: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ParamNames:
    """Names of an API's parameters, for the `param` of an error; *item* is formatted with the tool's position."""

    tools: str = "tools"
    item: str = "tools[{}].function"
    parameters: str = "parameters"
    choice: str = "tool_choice"
    schema: str = "response_format.json_schema.schema"


CHAT = ParamNames()
FUNCTIONS = ParamNames("functions", "functions[{}]", choice="function_call")
RESPONSES = ParamNames(item="tools[{}]", schema="text.format.schema")
MESSAGES = ParamNames(item="tools[{}]", parameters="input_schema", schema="output_config.format.schema")


@dataclass(frozen=True)
class ToolConfig:
    """Tools, tool choice and output format of a request, checked. Raises `ServiceError` (400) that names the
    parameter."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = ToolChoice()
    parallel: bool = True
    output_format: OutputFormat | None = None
    fields: ParamNames = field(default=CHAT, compare=False)

    def __post_init__(self) -> None:
        if len(self.tools) > MAX_TOOLS:
            raise bad_request(f"At most {MAX_TOOLS} tools can be given.", param=self.fields.tools)
        names: set[tuple[str, str | None]] = set()
        for position, tool in enumerate(self.tools):
            self._check_tool(position, tool, names)
        self._check_choice()
        if self.output_format and self.output_format.schema:  # an empty one is valid, and compiling loads a library
            _check_schema(self.output_format.schema, "of the answer", self.fields.schema, "invalid_json_schema")
        if len(self.labels) < len(self.tools):
            raise bad_request(
                "Two tools have one name once their namespaces are part of it.",
                param=self.fields.tools,
                code="duplicate_tool_name",
            )

    @cached_property
    def labels(self) -> Mapping[str, Tool]:
        """The tools by the names that the model gets: with the namespace where two have one name."""
        names = [tool.name for tool in self.tools]
        labels: dict[str, Tool] = {}
        for tool in self.tools:
            is_bare = names.count(tool.name) == 1 and not tool.is_found
            labels[tool.name if is_bare else qualified_name(tool.namespace, tool.name)] = tool
        return labels

    @property
    def chosen(self) -> tuple[str, ...]:
        """Labels of the only tools that may be called; empty if all may."""
        return tuple(label for label, tool in self.labels.items() if tool.name in self.choice.names)

    def may_call(self, tool: Tool) -> bool:
        """Whether the tool choice allows a call of *tool*."""
        return self.choice.mode != "none" and (not self.choice.names or tool.name in self.choice.names)

    def _check_tool(self, position: int, tool: Tool, names: set[tuple[str, str | None]]) -> None:
        """*names*: those of the tools before it, to which this one's is added."""
        item = self.fields.item.format(position)
        if not _NAME.fullmatch(tool.name):
            raise bad_request(
                f"'{tool.name[:MAX_NAME]}' cannot name a tool: that takes 1 to {MAX_NAME} characters, but no blanks, "
                "quotes and brackets.",
                param=f"{item}.name",
            )
        if tool.namespace is not None and not _NAME.fullmatch(tool.namespace):
            raise bad_request("A namespace needs a name as tools do.", param=f"{item}.name")
        if (tool.name, tool.namespace) in names:
            raise bad_request(
                f"There are two tools of the name '{tool.name}'.", param=f"{item}.name", code="duplicate_tool_name"
            )
        names.add((tool.name, tool.namespace))
        if tool.parameters is not None:
            param = f"{item}.{self.fields.parameters}"
            whose = f"of the tool '{tool.name}'"
            _check_schema(tool.parameters, whose, param, "invalid_function_parameters", any_pattern=True)

    def _check_choice(self) -> None:
        if not self.tools and self.choice.mode == "required":
            raise bad_request(
                "A tool is to be called, and none is given.",
                param=self.fields.choice,
                code="missing_required_parameter",
            )
        known = {tool.name for tool in self.tools}
        for name in self.choice.names:
            if name not in known:
                raise bad_request(
                    f"There is no tool '{name[:128]}' to choose.", param=self.fields.choice, code="unknown_tool"
                )


def _check_schema(
    schema: Mapping[str, Any] | bool, whose: str, param: str, code: str, *, any_pattern: bool = False
) -> None:
    try:
        compile_schema(schema, any_pattern=any_pattern)
    except InvalidSchema as error:
        raise bad_request(f"The JSON schema {whose} cannot be used: {error}.", param=param, code=code) from None


def qualified_name(namespace: str | None, name: str) -> str:
    """The name of a tool with its namespace, if it has one, as agents write it."""
    if not namespace:
        return name
    return namespace + ("" if namespace.endswith("__") else "__") + name


def cut_description(text: str) -> str:
    """*text* truncated to `MAX_DESCRIPTION`."""
    if len(text) <= MAX_DESCRIPTION // 4 or len(encoded := text.encode("utf-8", "surrogatepass")) <= MAX_DESCRIPTION:
        return text
    return encoded[:MAX_DESCRIPTION].decode("utf-8", "ignore") + " …"
