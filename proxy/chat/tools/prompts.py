"""Prompts for emulated tools and structured output, and calls and results rendered as text.

The markers are a contract (see the constants). The instructions are short, since they are sent with each request, and
the same from turn to turn, so that the upstream's copy of a history and the provider's prompt cache stay valid.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from proxy.chat.tools.cache import Cache
from proxy.chat.tools.definitions import OutputFormat, Tool, ToolConfig, cut_description, qualified_name
from proxy.chat.tools.loose_json import MalformedJson, dump_json, read_loose_json
from shared.conversations import Message, ToolCall, ToolResult

TOOLS_FENCE = "```tools"
CALLS_FENCE = "```tool_calls"
SCHEMA_FENCE = "```json_schema"
FENCE_END = "```"

_TOOLS_BEFORE = f"""\
You can call the tools below. To do so, end your answer with a fence like this, one call a line:
{CALLS_FENCE}
{{"name":"NAME","arguments":{{}}}}
{FENCE_END}
Write nothing after it. The next message then begins with [result of NAME] or [error of NAME]: never write such lines \
yourself. Without a call, answer as usual."""
_NONE = "Answer in text now, without calling a tool."
_REQUIRED = "Your answer must be a call of a tool, without other text."
_NAMED = "Your answer must be a call of this tool, without other text."
_SINGLE = "Write one call at most."
_SCHEMA = "Answer with JSON alone, in a fence opened by ```json, that fits this schema:"
_SCHEMA_OR_CALL = "Unless you call a tool, answer with JSON alone, in a fence opened by ```json, that fits this schema:"
_FOUND = "From now on you can call these tools too:"
_NOTHING_FOUND = "No such tool was found."
_OBJECT = "answer format: json_object\nAnswer with a JSON object alone, in a fence opened by ```json."
_OBJECT_OR_CALL = (
    "answer format: json_object\nUnless you call a tool, answer with a JSON object alone, in a fence opened by ```json."
)


def instructions(tool_config: ToolConfig) -> str:
    """The text to put before the client's system messages; empty without tools and output format."""
    parts = []
    may_call = bool(tool_config.tools) and tool_config.choice.mode != "none"
    if tool_config.tools:
        lines = (_line(label, tool) for label, tool in tool_config.labels.items() if not tool.is_found)
        parts += [_TOOLS_BEFORE, _fence(TOOLS_FENCE, lines)]
        parts += _choice(tool_config.choice.mode, tool_config.chosen)
        if may_call and not tool_config.parallel:
            parts.append(_SINGLE)
    if tool_config.output_format:
        parts.append(_output_format(tool_config.output_format, may_call=may_call))
    return "\n".join(parts)


def found_tools_text(tools: Sequence[Tool]) -> str:
    """The result of a tool search. The definitions stand only here, so that the instructions stay the same."""
    if not tools:
        return _NOTHING_FOUND
    lines = (_line(qualified_name(tool.namespace, tool.name), tool) for tool in tools)
    return f"{_FOUND}\n{_fence(TOOLS_FENCE, lines)}"


def _fence(opening: str, lines: Iterable[str]) -> str:
    return "\n".join([opening, *lines, FENCE_END])


def _line(label: str, tool: Tool) -> str:
    return _compact({"name": label, "description": cut_description(tool.description), "parameters": tool.schema})


def _compact(value: Any) -> str:
    return orjson.dumps(value).decode()  # cannot fail: the schema was serialized when it was checked


def _choice(mode: str, chosen: Sequence[str]) -> Iterable[str]:
    is_named = mode == "required" and len(chosen) == 1
    if is_named:
        yield f"tool choice: {chosen[0]}"
        yield _NAMED
    elif mode != "auto":
        yield f"tool choice: {mode}"
        yield _NONE if mode == "none" else _REQUIRED
    if chosen and not is_named:
        yield f"Call only: {', '.join(chosen)}."


def _output_format(output_format: OutputFormat, *, may_call: bool) -> str:
    if output_format.schema is None:
        return _OBJECT_OR_CALL if may_call else _OBJECT
    before = _SCHEMA_OR_CALL if may_call else _SCHEMA
    description = [f"It is for: {cut_description(output_format.description)}"] if output_format.description else []
    return "\n".join([*description, before, _fence(SCHEMA_FENCE, [_compact(output_format.schema)])])


def messages_as_text(messages: Sequence[Message], tool_config: ToolConfig | None) -> tuple[Message, ...]:
    """*messages* with calls and results rendered as text."""
    names: dict[str, list[str]] = {}
    rendered = []
    for message in messages:
        text, tool_result = message.text, message.result
        if message.calls:
            names |= {call.id: [] for call in message.calls}
            for call in message.calls:
                names[call.id].append(_label(call.name, call.namespace, tool_config))
            text = with_calls(text, message.calls, tool_config)
        elif tool_result is not None:
            name = tool_result.name or _next(names.get(tool_result.call_id, [])) or "tool"
            text = result_text(name, text, error=tool_result.failed)
        if text is message.text:
            rendered.append(message)
        else:
            rendered.append(Message(role=message.role, text=text, images=message.images, result=tool_result))
    return tuple(rendered)


def _next(names: list[str]) -> str:
    """Which call a result is of: some servers give all their calls one id, or none, and results keep their order."""
    return names.pop(0) if len(names) > 1 else "".join(names)


def with_calls(text: str, calls: Sequence[ToolCall], tool_config: ToolConfig | None = None) -> str:
    """An earlier answer as the model would have written it: *text*, then a fence with *calls*."""
    if not calls:
        return text
    fence = _fence(CALLS_FENCE, (_call(call, tool_config) for call in calls))
    return f"{text.rstrip()}\n\n{fence}" if text.strip() else fence


def _call(call: ToolCall, tool_config: ToolConfig | None) -> str:
    arguments = dump_json({"input": call.arguments}) if call.kind == "custom" else _arguments(call.arguments or "{}")
    return f'{{"name":{dump_json(_label(call.name, call.namespace, tool_config))},"arguments":{arguments}}}'


def _arguments(text: str) -> str:
    """The arguments of a call, normalized; cached, since clients send them again with every turn."""
    arguments = _rendered_arguments.get(text)
    if arguments is None:
        try:
            given = read_loose_json(text).value
            arguments = "{}" if given is None or given == [] else dump_json(given)  # both mean no arguments
        except MalformedJson:
            arguments = dump_json(text)  # of another model: passed on unchanged
        _rendered_arguments.put(text, arguments, 2 * len(text) + 200)
    return arguments


_rendered_arguments: Cache[str, str] = Cache(1_000_000)
_NO_NAME = re.compile(r"[\s\[\]]+")


def result_text(name: str, text: str, *, error: bool = False) -> str:
    """A tool's result as the text of a user message. *name* is made to fit in its first line."""
    return f"[{'error' if error else 'result'} of {_NO_NAME.sub('_', name)}]\n{text}"


def _label(name: str, namespace: str | None, tool_config: ToolConfig | None) -> str:
    """The name that the model has for a tool."""
    label = qualified_name(namespace, name)
    return label if tool_config is None or label in tool_config.labels else name


def retry_prompt(problem: str, tool_config: ToolConfig, *, is_json: bool) -> Message:
    """The message that asks again for valid JSON or a valid call. It counts as a result, not as a user's question."""
    may_call = tool_config.choice.mode != "none"
    if is_json or (not may_call and tool_config.output_format is not None):
        expected = "Answer again, with the corrected JSON alone, in a fence opened by ```json."
    elif may_call:
        expected = f"Answer again, with the corrected call in a fence opened by {CALLS_FENCE}."
    else:
        expected = _NONE
    return Message(role="user", text=f"That was not valid: {problem}\n{expected}", result=ToolResult())
