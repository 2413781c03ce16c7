"""The tools and the response format in a request of Anthropic's Messages API."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.api.messages.client_tools import as_custom
from proxy.api.parameters import read_flag, read_list, read_object, wrong_type
from proxy.api.tools import ToolOptions, ToolsMode, apply_mode, read_output_format, read_tool, unsupported_tools
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.tools.definitions import MESSAGES, Tool, ToolChoice

SEARCH = "web_search"  # dated names such as web_search_20250305 begin alike
_FINDER = "tool_search_tool"  # Anthropic's search among tools; the bot has to be told all of them where it is left out
_MODES: Mapping[str, ToolChoice] = {"auto": ToolChoice(), "any": ToolChoice("required"), "none": ToolChoice("none")}


def read_tool_options(body: Mapping[str, Any], mode: ToolsMode) -> ToolOptions:
    """The tools and the response format of the request. Raises `ServiceError` (400).

    Tools that Anthropic's own servers run, and those for a screen, are left out; its web search stands for that of the
    site, which is switched on where it is the only tool, or has to be called. Deferred tools are told where a client's
    own search has found them.
    """
    items = [as_custom(item) for item in read_list(body, "tools")]
    kinds = [_kind(item, f"tools[{index}]") for index, item in enumerate(items)]
    choice, parallel = _read_choice(body.get("tool_choice"))
    tools = tuple(
        _tool(item, f"tools[{index}]", choice.names) for index, item in enumerate(items) if kinds[index] == "custom"
    )
    searching = [item for item, kind in zip(items, kinds, strict=True) if kind.startswith(SEARCH)]
    others = [kind for kind in kinds if kind != "custom" and not kind.startswith(SEARCH)]
    if any(kind.startswith(_FINDER) for kind in kinds) or all(tool.is_found for tool in tools):
        tools = tuple(replace(tool, is_found=False) for tool in tools)  # by nothing that is here
    is_forced = any(item.get("name", SEARCH) in choice.names for item in searching)
    if is_forced:
        tools, choice = (), ToolChoice()
    searches = is_forced or (bool(searching) and len(searching) == len(items) and choice.mode != "none")
    if choice.mode == "required" and not tools and not searches:
        raise bad_request(
            "A tool is to be called, and none is given.", param="tool_choice", code="missing_required_parameter"
        )
    form, value = _form(body)
    output_format, fields = read_output_format(value, form, nested=False), replace(MESSAGES, schema=f"{form}.schema")
    options = apply_mode(mode, tools, choice, output_format, fields, body=body, parallel=parallel, form=form)
    return replace(options, searches=searches, left_out=(*unsupported_tools(others), *options.left_out))


def _kind(item: Any, where: str) -> str:
    kind = item.get("type") if isinstance(item, dict) else ""
    if kind is None:
        return "custom"
    if not isinstance(kind, str) or not kind:
        raise wrong_type(where, "an object that is a tool")
    return kind


def _tool(item: Mapping[str, Any], where: str, chosen: Sequence[str]) -> Tool:
    if not isinstance(item.get("input_schema"), dict):
        raise wrong_type(f"{where}.input_schema", "a JSON schema")
    tool = read_tool(item, where, "function")
    return replace(tool, is_found=item.get("defer_loading") is True and tool.name not in chosen)


def _read_choice(value: Any) -> tuple[ToolChoice, bool]:
    """Which tools may or must be called, and whether several may be at once."""
    if value is None:
        return ToolChoice(), True
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str):
        raise _bad_choice()
    parallel = not read_flag(value, "disable_parallel_tool_use")
    if kind in _MODES:
        return _MODES[kind], parallel
    name = value.get("name")
    if kind != "tool" or not isinstance(name, str) or not name:
        raise _bad_choice()
    return ToolChoice.of(name), parallel


def _bad_choice() -> ServiceError:
    return bad_request(
        "'tool_choice' must be an object of the type auto, any, none, or tool with its name.",
        param="tool_choice",
        code="invalid_value",
    )


def _form(body: Mapping[str, Any]) -> tuple[str, Any]:
    """The name of the parameter with the response format, which was another one in the beta, and its value."""
    config = read_object(body, "output_config")
    if config.get("format") is not None:
        return "output_config.format", config["format"]
    return "output_format", body.get("output_format")
