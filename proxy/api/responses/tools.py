"""The tools and the response format in a request of OpenAI's Responses API."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from proxy.api.conversations.client_tools import CLIENT_TOOLS, as_function
from proxy.api.parameters import read_flag, read_list, wrong_type
from proxy.api.tools import (
    CLIENT_KINDS,
    ToolOptions,
    ToolsMode,
    apply_mode,
    read_choice,
    read_output_format,
    read_tool,
    refuse_lone_choice,
    unsupported,
    unsupported_tools,
)
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.tools.definitions import MAX_TOOLS, RESPONSES, Tool, ToolChoice, ToolConfig

_SEARCH = ("web_search", "web_search_preview")  # dated names such as web_search_2025_08_26 begin alike
_CLIENT_KINDS = (*CLIENT_KINDS, "namespace")


def read_tool_options(body: Mapping[str, Any], mode: ToolsMode) -> ToolOptions:
    """The tools and the response format of the request. Raises `ServiceError` (400).

    The site's search is switched on where it is asked for without functions, or has to be called.
    """
    refuse_lone_choice(body, "tools", "tool_choice", harmless=("none", "auto"))
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    output_format = read_output_format(form, "text.format", nested=False)
    items = read_list(body, "tools")
    kinds = [_kind(item, index) for index, item in enumerate(items)]
    tools = tuple(tool for index, item in enumerate(items) for tool in _tools(item, f"tools[{index}]"))
    hosted = [kind for kind, item in zip(kinds, items, strict=True) if _is_hosted(kind, item)]
    tools += _added(body.get("input"), tools)
    choice, may_search = _named(body.get("tool_choice"), hosted), any(kind.startswith(_SEARCH) for kind in kinds)
    if hosted and (not (tools or may_search) or _forces(choice, hosted)):
        raise unsupported(
            "tools", f"No bot has the tool {hosted[0]!r}; there are functions, web_search and tools that clients run."
        )
    must_search = may_search and _is_search(choice)
    if must_search:
        tools, may_call = (), ToolChoice()
    else:
        may_call = read_choice(choice, "tool_choice")
    parallel = read_flag(body, "parallel_tool_calls", default=True)
    searches = may_search and not tools and choice != "none"
    options = apply_mode(
        mode, tools, may_call, output_format, RESPONSES, body=body, parallel=parallel, form="text.format"
    )
    return replace(options, searches=searches, left_out=(*unsupported_tools(hosted), *options.left_out))


def _kind(item: Any, index: int) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if not isinstance(kind, str) or not kind:
        where = f"tools[{index}]"
        raise bad_request(f"'{where}.type' must say what kind of tool it is.", param=where, code="invalid_type")
    return kind


def _tools(item: Mapping[str, Any], where: str) -> Iterator[Tool]:
    """The tools that *item* defines that a model can be told of; those of a namespace one by one."""
    kind = item["type"]
    if function := _as_function(item):
        yield replace(read_tool(function, where, "function"), kind=kind)
    if kind in CLIENT_KINDS:
        yield read_tool(item, where, kind)
    if kind == "namespace":
        for index, each in enumerate(read_list(item, "tools")):
            place = f"{where}.tools[{index}]"
            inner = each.get("type", "function") if isinstance(each, dict) else None
            if inner not in CLIENT_KINDS:
                raise wrong_type(place, "a function or a custom tool")
            namespace = item.get("name")
            yield read_tool(each, place, inner, namespace=namespace if isinstance(namespace, str) else None)


def _is_hosted(kind: str, item: Mapping[str, Any]) -> bool:
    """Whether OpenAI's servers would run it."""
    return not (kind in _CLIENT_KINDS or kind.startswith(_SEARCH) or _as_function(item))


def _as_function(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """*item* as a function that its type is the name of, if the client runs what OpenAI has defined."""
    if item["type"] == "tool_search":
        return {**item, "name": item["type"]} if is_by_client(item) else None
    return as_function(item)


def is_by_client(item: Mapping[str, Any]) -> bool:
    """Whether a search among tools is the client's own."""
    return item.get("execution") == "client"


def found_in(item: Mapping[str, Any]) -> Iterator[Tool]:
    """The tools that an item brings, as far as any model can be told of them."""
    tools = item.get("tools")
    for each in tools if isinstance(tools, list) else ():
        if isinstance(each, dict) and each.get("type") in _CLIENT_KINDS:
            with suppress(ServiceError):
                for tool in _tools(each, "tools"):
                    ToolConfig((tool,))
                    yield tool


def _added(items: Any, offered: Sequence[Tool]) -> tuple[Tool, ...]:
    """What a request's *items* offer beside what is *offered*: `additional_tools`, and what searches among tools found,
    where they may search. Of too many, what came last."""
    known = {(tool.namespace, tool.name) for tool in offered}
    may_search = any(tool.kind == "tool_search" for tool in offered)
    tools = []
    for item in reversed(items) if isinstance(items, list) else ():
        kind = item.get("type") if isinstance(item, dict) else None
        is_found = kind == "tool_search_output" and may_search and is_by_client(item)
        if kind == "additional_tools" or is_found:
            for tool in found_in(item):
                if (tool.namespace, tool.name) not in known and len(known) < MAX_TOOLS:
                    known.add((tool.namespace, tool.name))
                    tools.append(replace(tool, is_found=is_found))
    return tuple(tools)


def _named(choice: Any, hosted: Sequence[str]) -> Any:
    """*choice* with the tools that are chosen by their type, and are not *hosted*, named as functions are."""
    kinds = [kind for kind in ("tool_search", *CLIENT_TOOLS) if kind not in hosted]

    def named(value: Any) -> Any:
        kind = value.get("type") if isinstance(value, dict) else None
        return {"type": "function", "name": kind} if kind in kinds else value

    allowed = choice.get("tools") if isinstance(choice, dict) and choice.get("type") == "allowed_tools" else None
    return {**choice, "tools": [named(each) for each in allowed]} if isinstance(allowed, list) else named(choice)


def _forces(choice: Any, hosted: list[str]) -> bool:
    return isinstance(choice, dict) and choice.get("type") in hosted


def _is_search(choice: Any) -> bool:
    kind = choice.get("type") if isinstance(choice, dict) else None
    return isinstance(kind, str) and kind.startswith(_SEARCH)
