"""Reading the tools of requests in all APIs: definitions, `tool_choice`, response formats, and calls in the history.

Definitions are read strictly. Calls of earlier turns are read as leniently as can be: clients only repeat them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from proxy.api.parameters import read_flag, read_list, wrong_type
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.extras import CALL_SIGNATURE, signed
from proxy.chat.tools.definitions import CHAT, FUNCTIONS, OutputFormat, ParamNames, Tool, ToolChoice, ToolConfig
from shared.conversations import ToolCall

# What happens to tools and response formats: a setting, or "native" for a model whose upstream has them.
ToolsMode = Literal["emulate", "refuse", "ignore", "native"]
CLIENT_KINDS = ("function", "custom")  # types of the tools that a client runs itself
HEADER_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # names that the header x-ignored-params can carry


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """Tools and response format of a request."""

    tool_config: ToolConfig | None = None
    searches: bool = False  # the site's own web search is requested
    left_out: tuple[str, ...] = ()  # parameters, or kinds of tools, that no model is told of


def read_tool_options(body: Mapping[str, Any], mode: ToolsMode) -> ToolOptions:
    """The tools and the response format of a chat request. Raises `ServiceError` (400)."""
    for names in (FUNCTIONS, CHAT):
        harmless = ("none", "auto") if body.get(names.tools) == [] else ()
        refuse_lone_choice(body, names.tools, names.choice, harmless=harmless)
    output_format = read_output_format(body.get("response_format"), "response_format", nested=True)
    parallel = read_flag(body, "parallel_tool_calls", default=True)
    # Both are read, so that what is wrong with either is told; the newer one holds.
    functions, tools = (
        tuple(_chat_tools(body, names.tools, is_functions=names is FUNCTIONS, passes_others=mode == "native"))
        for names in (FUNCTIONS, CHAT)
    )
    choices = {names: read_choice(body.get(names.choice), names.choice) for names in (FUNCTIONS, CHAT)}
    fields = FUNCTIONS if functions and not tools else CHAT
    return apply_mode(
        mode,
        tools or functions,
        choices[fields],
        output_format,
        fields,
        body=body,
        parallel=parallel and fields is CHAT,
        form="response_format",
    )


def apply_mode(
    mode: ToolsMode,
    tools: tuple[Tool, ...],
    choice: ToolChoice,
    output_format: OutputFormat | None,
    fields: ParamNames,
    *,
    body: Mapping[str, Any],
    parallel: bool,
    form: str,
) -> ToolOptions:
    """The options of a request in the mode *mode*. Raises `ServiceError` (400) where it refuses what is requested.

    *fields*: the names of the parameters in *body* that *tools* and *choice* were read from; *form*: that of
    *output_format*.
    """
    if not tools and output_format is None:
        return ToolOptions()
    if mode == "ignore":
        left_out = []
        if tools:
            left_out.append(fields.tools)
            if body.get(fields.choice) is not None:
                left_out.append(fields.choice)
        if output_format is not None:
            left_out.append(form)
        return ToolOptions(left_out=tuple(left_out))
    if mode == "refuse":
        if tools and choice.mode != "none":
            raise unsupported(fields.tools, "The operator of this gateway has switched tools off.")
        if output_format is not None:
            raise unsupported(form, "The operator of this gateway has switched forms of answers off.")
        return ToolOptions()
    return ToolOptions(ToolConfig(tools, choice if tools else ToolChoice(), parallel, output_format, fields))


def _chat_tools(body: Mapping[str, Any], name: str, *, is_functions: bool, passes_others: bool) -> Iterator[Tool]:
    """The tools in the parameter *name* that the client runs itself.

    *is_functions*: it is `functions`. *passes_others*: tools of other types are left to the upstream, and not refused.
    """
    for index, item in enumerate(read_list(body, name)):
        where = f"{name}[{index}]"
        if not isinstance(item, dict):
            raise wrong_type(where, "an object")
        kind = "function" if is_functions or "input_schema" in item else item.get("type", "function")
        if passes_others and isinstance(kind, str) and kind not in CLIENT_KINDS:
            continue
        if kind not in CLIENT_KINDS:
            raise bad_request(f"'{where}' must be a function or a custom tool.", param=where, code="invalid_value")
        is_flat = is_functions or (kind not in item and "name" in item)  # as Cursor sends some
        definition = item if is_flat else item.get(kind)
        if not isinstance(definition, dict):
            raise wrong_type(f"{where}.{kind}", "an object")
        yield read_tool(definition, where if is_flat else f"{where}.{kind}", kind)


def read_tool(item: Mapping[str, Any], where: str, kind: str, *, namespace: str | None = None) -> Tool:
    """One tool. Raises `ServiceError` (400)."""
    name, description = item.get("name"), item.get("description")
    parameters = item.get("input_schema", item.get("parameters"))
    if not isinstance(name, str) or not name:
        raise bad_request(f"'{where}.name' must name the tool.", param=f"{where}.name", code="invalid_type")
    if description is not None and not isinstance(description, str):
        raise wrong_type(f"{where}.description", "a string")
    if kind == "custom":
        return Tool(name, _with_grammar(description or "", item.get("format")), kind="custom", namespace=namespace)
    if parameters is not None and not isinstance(parameters, dict):
        raise wrong_type(f"{where}.parameters", "an object")
    return Tool(name, description or "", parameters, strict=item.get("strict") is True, namespace=namespace)


def _with_grammar(description: str, form: Any) -> str:
    """A custom tool's description, with the grammar of its input as far as a model can follow one."""
    grammar = form.get("grammar", form) if isinstance(form, dict) else {}
    definition = grammar.get("definition") if isinstance(grammar, dict) else None
    if not isinstance(definition, str):
        return description
    return f"{description}\nIts input has to follow this grammar ({grammar.get('syntax', 'lark')}):\n{definition}"


def read_choice(value: Any, where: str) -> ToolChoice:
    """Which tools may or must be called, as chat completions or Responses spell it. Raises `ServiceError` (400)."""
    if isinstance(value, dict) and value.get("type") in ("auto", "any", "none"):  # as Anthropic's API has it
        value = value["type"]
    if value is None or value == "auto":
        return ToolChoice()
    if value == "none":
        return ToolChoice("none")
    if value in ("required", "any"):
        return ToolChoice("required")
    if not isinstance(value, dict):
        raise _bad_choice(where)
    if value.get("type") == "allowed_tools":
        return _allowed(value.get("allowed_tools", value), where)
    return ToolChoice.of(_name_of(value, where))


def _allowed(value: Any, where: str) -> ToolChoice:
    """The choice of an `allowed_tools`."""
    tools, mode = (value.get("tools"), value.get("mode", "auto")) if isinstance(value, dict) else (None, None)
    if not isinstance(tools, list) or mode not in ("auto", "required"):
        raise _bad_choice(where)
    names = tuple(_name_of(tool, where) for tool in tools if not _is_hosted(tool))
    if names or not tools:
        return ToolChoice(mode, names)
    if mode == "auto":
        return ToolChoice("none")  # of what is allowed, nothing is there
    raise _bad_choice(where)


def _is_hosted(value: Any) -> bool:
    """Whether an allowed tool is one that OpenAI's servers bring; no model here has any."""
    kind = value.get("type", "function") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind not in CLIENT_KINDS


def _name_of(value: Any, where: str) -> str:
    kind = value.get("type", "function") if isinstance(value, dict) else None
    inner = value.get(kind, value) if isinstance(kind, str) and isinstance(value, dict) else value
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(name, str) or not name:
        raise _bad_choice(where)
    return name


def _bad_choice(where: str) -> ServiceError:
    return bad_request(
        f"'{where}' must be none, auto, required, or an object that names a tool.", param=where, code="invalid_value"
    )


def read_output_format(value: Any, where: str, *, nested: bool) -> OutputFormat | None:
    """The response format; None for plain text. *nested*: as chat completions spell it. Raises `ServiceError` (400)."""
    given = value.get("value") if isinstance(value, dict) and value.get("type") in ("json", "json_object") else None
    if isinstance(given, dict):  # as Text Generation Inference has it
        value = {"type": "json_object", "schema": given}
    kind, beside = (value.get("type"), value.get("schema")) if isinstance(value, dict) else (None, None)
    if value is None or kind == "text":
        return None
    is_beside = isinstance(beside, dict) and bool(beside)  # as llama.cpp, Fireworks and Together have it
    if kind == "json_object" and not is_beside:
        return OutputFormat()
    if kind not in ("json_object", "json_schema"):
        raise bad_request(
            f"'{where}' must be of the type text, json_object or json_schema.", param=where, code="invalid_value"
        )
    is_nested = nested and not is_beside
    form, place = (value.get("json_schema"), f"{where}.json_schema") if is_nested else (value, where)
    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(form, dict) or not isinstance(schema, dict | bool):
        raise wrong_type(f"{place}.schema", "a JSON schema")
    name, description = form.get("name"), form.get("description")
    if not isinstance(name, str | None) or not isinstance(description, str | None):
        raise bad_request(f"'{place}' must have texts as name and description.", param=place, code="invalid_type")
    return OutputFormat(schema, name or "", description or "", form.get("strict") is True)


def read_calls(item: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """The calls in a message of an assistant, in the shapes of now and of before; what names no tool is left out."""
    calls = item.get("tool_calls")
    found = list(calls) if isinstance(calls, list) else []
    if item.get("function_call") is not None:
        found.append({"function": item["function_call"]})
    read = []
    for call in found:
        if not isinstance(call, dict):
            continue
        kind: Literal["function", "custom"] = "custom" if isinstance(call.get("custom"), dict) else "function"
        asked = call.get(kind)
        if isinstance(asked, dict) and isinstance(asked.get("name"), str) and asked["name"]:
            given = asked.get("input" if kind == "custom" else "arguments")
            own = {"id": text_or_empty(call.get("id")), "name": asked["name"], "arguments": as_json(given)}
            read.append(ToolCall(**own, kind=kind, signed=signed({CALL_SIGNATURE: call.get(CALL_SIGNATURE)})))
    return tuple(read)


def as_json(value: Any) -> str:
    """Arguments as the text that they should be. Raises `ServiceError` (400) for what is nested too deep."""
    if isinstance(value, str) or value is None:
        return value or ""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise bad_request("What a tool was called with, or gave, is nested too deep.") from error


def text_or_empty(value: Any) -> str:
    """*value*, where it is a text."""
    return value if isinstance(value, str) else ""


def unsupported_tools(kinds: Iterable[str]) -> tuple[str, ...]:
    """The entries of x-ignored-params for tools of these *kinds*, of which no model is told."""
    return tuple(f"tools.{kind}" for kind in dict.fromkeys(kinds) if HEADER_SAFE.fullmatch(kind))


def refuse_lone_choice(body: Mapping[str, Any], tools: str, choice: str, *, harmless: Sequence[str]) -> None:
    """Raise `ServiceError` (400) for a *choice* of *tools* where there are none, unless it is *harmless*."""
    value = body.get(choice)
    if value is not None and not body.get(tools) and value not in harmless:
        raise bad_request(
            f"'{choice}' is only allowed where '{tools}' are given.", param=choice, code="missing_required_parameter"
        )


def unsupported(name: str, why: str) -> ServiceError:
    """The error for a parameter that would change the answer and cannot be honoured."""
    return bad_request(f"'{name}' is not supported: {why}", param=name, code="unsupported_parameter")
