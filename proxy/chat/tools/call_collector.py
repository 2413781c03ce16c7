"""Collecting the calls that were found, after checks: is the tool declared and allowed, do the arguments fit."""

from collections.abc import Callable, Mapping
from typing import Any

from proxy.chat.tools.call_shapes import ParsedCall, find_name, leading_name, may_be_bare_call, parse_calls
from proxy.chat.tools.coercion import SchemaMismatch, coerce
from proxy.chat.tools.definitions import Tool, ToolConfig, qualified_name
from proxy.chat.tools.loose_json import MalformedJson, dump_json, read_loose_json
from proxy.chat.tools.schema import compile_schema
from proxy.chat.tools.text_stream import JsonValue
from shared.conversations import ToolCall

_PREFIX = "functions."  # as models were taught to write names
MAX_CALLS = 128  # of one answer; what comes after them is not read
_UNDECIDED = 64_000  # characters of JSON that has not named a tool yet


class CallCollector:
    """Collects the calls of one answer from its parsers, and passes the valid ones on."""

    def __init__(self, tool_config: ToolConfig, new_id: Callable[[], str], emit: Callable[[ToolCall], None]) -> None:
        self._tool_config = tool_config
        self._new_id = new_id
        self._emit = emit
        self._tools = _spellings(tool_config)
        self._by_lower_case = _by_lower_case(self._tools)
        self._sole = _sole(tool_config)
        self.count = 0  # of the calls that were passed on
        self.has_repaired = False
        self.problem = ""  # the first one
        self.has_partial = False

    @property
    def is_full(self) -> bool:
        """Whether the client takes no more calls."""
        return self.count >= (MAX_CALLS if self._tool_config.parallel else 1)

    def knows(self, name: str) -> bool:
        """Whether *name* means a declared tool."""
        return self._tool(name) is not None

    def may_become_name(self, prefix: str) -> bool:
        """Whether *prefix* may be the beginning of a declared tool's name."""
        prefix = prefix.strip().lower()
        either = (prefix, prefix.removeprefix(_PREFIX))
        return _PREFIX.startswith(prefix) or any(spelling.startswith(either) for spelling in self._by_lower_case)

    def _may_be_known(self, name: str, is_whole: bool) -> bool:
        return self.knows(name) if is_whole else self.may_become_name(name)

    def may_be_call(self, head: str, size: int) -> bool:
        """Whether JSON that begins with *head*, and has *size* characters so far, may be a call of a declared
        tool."""
        name = leading_name(head)
        return self._may_be_known(*name) if name else size <= _UNDECIDED

    def may_be_bare_call(self, head: str, size: int) -> bool:
        """The same for JSON that nothing else marks as a call."""
        return bool(self._sole) or (may_be_bare_call(head) and self.may_be_call(head, size))

    def read(self, value: JsonValue, *, bare: bool = False) -> list[ParsedCall]:
        """Parse *value* as calls; empty unless the first one is of a declared tool.

        Where one tool has to be called, *bare* JSON that fits its schema is a call of it: models leave out the rest.
        """
        try:
            content, repaired = read_loose_json(value.text, close=not value.is_partial)
        except MalformedJson as broken:
            name, _ = find_name(value.text) or ("", False)
            return [ParsedCall(name, broken=str(broken))] if self.knows(name) else []
        calls = [call._replace(repaired=repaired) for call in parse_calls(content, bare=bare)]
        if calls:
            return calls if self.knows(calls[0].name) else []
        if bare and self._sole and _fits(self._tools[self._sole], content):
            return [ParsedCall(self._sole, content, repaired=True)]
        return []

    def may_begin_call(self, text: str) -> bool:
        """Whether the incomplete JSON *text* may be the beginning of a call of a declared tool."""
        name = find_name(text)
        return name is None or self._may_be_known(*name)

    def add(self, *calls: ParsedCall) -> None:
        """Check calls and add them, or record the problem of the first invalid one."""
        for call in calls:
            if self.is_full:
                return
            try:
                self._add(call)
            except (MalformedJson, SchemaMismatch) as error:
                self.problem = self.problem or str(error)

    def _add(self, call: ParsedCall) -> None:
        tool = self._tool(call.name)
        if tool is None:
            raise SchemaMismatch(f"there is no tool '{call.name[:80]}'")
        if not self._tool_config.may_call(tool):
            raise SchemaMismatch(f"{tool.name} may not be called now")
        if call.broken:
            raise MalformedJson(f"the call of {tool.name} is no JSON: {call.broken}")
        if tool.kind == "custom":
            arguments, changed = _free_text(call.arguments), False
        else:
            is_flat = bool(call.flat_arguments) and call.flat_arguments.keys() <= _properties(tool).keys()
            arguments, changed = _arguments(tool, dict(call.flat_arguments) if is_flat else call.arguments)
        self.count += 1
        self.has_repaired |= call.repaired or changed
        self._emit(
            ToolCall(id=self._new_id(), name=tool.name, arguments=arguments, kind=tool.kind, namespace=tool.namespace)
        )

    def parameter_type(self, tool_name: str, parameter: str) -> Any:
        """The type of a tool's parameter according to its schema; None if it names none."""
        tool = self._tool(tool_name)
        schema = _properties(tool).get(parameter) if tool else None
        return schema.get("type") if isinstance(schema, dict) else None

    def _tool(self, name: str) -> Tool | None:
        name = name.strip()
        bare = name.removeprefix(_PREFIX)
        return self._tools.get(name) or self._tools.get(bare) or self._by_lower_case.get(bare.lower())


def _sole(tool_config: ToolConfig) -> str | None:
    """The label of the tool that has to be called, if there is just one and it takes an object."""
    labels = [label for label, tool in tool_config.labels.items() if tool_config.may_call(tool)]
    is_sole = tool_config.choice.mode == "required" and len(labels) == 1
    return labels[0] if is_sole and tool_config.labels[labels[0]].kind != "custom" else None


def _fits(tool: Tool, value: Any) -> bool:
    """Whether *value* is an object of nothing but arguments of *tool*, which takes them as they are, or nearly so."""
    if not isinstance(value, dict) or not value.keys() <= _properties(tool).keys():
        return False
    try:
        _arguments(tool, value)
    except SchemaMismatch:
        return False
    return True


def _properties(tool: Tool) -> Mapping[str, Any]:
    properties = tool.schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _arguments(tool: Tool, value: Any) -> tuple[str, bool]:
    """Arguments as JSON that is valid for *tool*, and whether they had to be changed. Raises `SchemaMismatch`."""
    try:
        fitted = coerce(_object(value), compile_schema(tool.schema, any_pattern=True))
        return dump_json(fitted.value), fitted.repaired or isinstance(value, str)
    except (MalformedJson, SchemaMismatch) as error:
        raise SchemaMismatch(f"the arguments of {tool.name}: {error}") from None


def _object(value: Any) -> dict[str, Any]:
    """Arguments as an object, also from the JSON text of one. Raises `MalformedJson` or `SchemaMismatch`."""
    if isinstance(value, str):
        value = read_loose_json(value).value if value.strip() else None
    if value is None or value == []:  # of a tool that takes none
        return {}
    if not isinstance(value, dict):
        raise SchemaMismatch("an object is wanted")
    return value


def _free_text(value: Any) -> str:
    """The input of a custom tool: its only argument, or the value itself."""
    if isinstance(value, dict) and ("input" in value or len(value) == 1):
        value = value["input"] if "input" in value else next(iter(value.values()))
    if isinstance(value, str):
        return value
    return "" if value is None else dump_json(value)


def _spellings(tool_config: ToolConfig) -> dict[str, Tool]:
    """The tools by every name that a model may use for them."""
    spellings: dict[str, Tool] = {}
    for tool in tool_config.tools:
        if tool.namespace:
            spellings[qualified_name(tool.namespace, tool.name)] = spellings[f"{tool.namespace}.{tool.name}"] = tool
    return {**spellings, **tool_config.labels}


def _by_lower_case(spellings: Mapping[str, Tool]) -> dict[str, Tool | None]:
    """The same in lower case, for small models that ignore case; None where two names become the same."""
    found: dict[str, Tool | None] = {}
    for spelling, tool in spellings.items():
        found[spelling.lower()] = None if spelling.lower() in found else tool
    return found
