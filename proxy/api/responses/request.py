"""Reading a request of OpenAI's Responses API; what it has in common with a chat is read as a chat is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.api.images.reading import Picture
from proxy.api.parameters import (
    check_text,
    read_flag,
    read_known,
    read_limit,
    read_metadata,
    read_model,
    read_object,
    read_text,
    wrong_type,
)
from proxy.api.responses.input_items import Read, read_items
from proxy.api.responses.tools import read_tool_options
from proxy.api.tools import ToolsMode, unsupported
from proxy.chat.ask import HINTS, Ask
from proxy.chat.errors import bad_request
from proxy.chat.nesting import is_too_deep
from shared.conversations import Message

_WITHOUT_EFFECT = ("background", "context_management")  # an answer is made while the client waits
_IGNORED = ("temperature", "top_p", "reasoning", "max_tool_calls")
_ECHOED: Mapping[str, type | tuple[type, ...]] = {  # what the response object repeats, where its type is right
    "temperature": (int, float),
    "top_p": (int, float),
    "top_logprobs": int,
    "max_tool_calls": int,
    "truncation": str,
    "user": str,
    "safety_identifier": str,
    "prompt_cache_key": str,
    "parallel_tool_calls": bool,
    "tool_choice": (str, dict),
    "tools": list,
    "text": dict,
}
_TOOL_DEFAULTS: Mapping[str, Mapping[str, Any]] = {  # by type: what is shown of a tool where the client left it out
    "function": {"description": None, "parameters": None, "strict": False},
    "custom": {"format": {"type": "text"}},
    "web_search": {"search_context_size": "medium", "user_location": None},
}
# Values of the parameter `include`.
_LOGPROBS = "message.output_text.logprobs"
_ENCRYPTED_REASONING = "reasoning.encrypted_content"


@dataclass(slots=True)
class ResponseRequest:
    """A request, normalised. `ask` holds the new messages only, `pictures` their images by what names them.

    A message of `ask` with an id stands for an earlier answer that the client only names, as its text says.
    """

    ask: Ask
    pictures: Mapping[str, Picture] = field(repr=False)
    instructions: str | None
    previous_response_id: str | None
    conversation_id: str | None
    stream: bool
    store: bool
    metadata: dict[str, str]
    echoed: Mapping[str, Any]  # parameters that the response object repeats
    reasoning_summary: str | None = None  # its kind; None: thoughts are not to be shown as a summary
    encrypts_reasoning: bool = False  # thoughts are to be in `encrypted_content` too, which clients send back
    user_items: Sequence[Mapping[str, Any]] | None = None  # of a compaction: what the user said, as items; else None

    def to_ask(self, history: Sequence[Message], new: Sequence[Message]) -> Ask:
        """All that is asked: *new* in place of the messages of `ask`, after what was said before."""
        instructions = (Message(role="system", text=self.instructions),) if self.instructions else ()
        return replace(self.ask, messages=(*instructions, *history, *new))


def parse_response(body: Mapping[str, Any], tools: ToolsMode = "emulate") -> ResponseRequest:
    """Read a body of `POST /v1/responses`. *tools*: what is done with them. Raises `ServiceError` (400)."""
    model = read_model(body)
    if body.get("prompt"):
        raise unsupported("prompt", "No prompt templates are kept here.")
    previous, conversation = _name(body.get("previous_response_id"), "previous_response_id"), _conversation(body)
    if previous and conversation:
        raise bad_request(
            "'previous_response_id' and 'conversation' exclude each other.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    body = _updated(body)
    messages, pictures = _read_input(body.get("input"), may_be_empty=bool(previous or conversation))
    asked = read_tool_options(body, tools)
    ask = Ask(
        model=model,
        messages=messages,
        web_search=asked.searches or read_flag(body, "web_search"),
        max_tokens=read_limit(body, "max_output_tokens"),
        parameters=read_known(body, _IGNORED) | _verbosity(body) | _logprobs(body),
        extra_parameters=_hints(body),
        wants_extras=True,
        ignored=(*asked.left_out, *(name for name in _WITHOUT_EFFECT if body.get(name))),
        tool_config=asked.tool_config,
    )
    return ResponseRequest(
        ask,
        pictures,
        instructions=read_text(body, "instructions"),
        previous_response_id=previous,
        conversation_id=conversation,
        stream=read_flag(body, "stream"),
        store=read_flag(body, "store", default=True),
        metadata=read_metadata(body.get("metadata")),
        echoed=_echoed(body),
        reasoning_summary=_reasoning_summary(body),
        encrypts_reasoning=_includes(body, _ENCRYPTED_REASONING),
    )


def _read_input(value: Any, *, may_be_empty: bool) -> Read:
    if not value and may_be_empty and (value is None or isinstance(value, list)):
        return (), {}
    if value is None:
        raise bad_request("One of 'input', 'previous_response_id' or 'conversation' must be provided.", param="input")
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    elif not isinstance(value, list):
        raise bad_request("'input' must be a string or a list of items.", param="input")
    read = read_items(value, name="input", may_refer=True)
    if not read[0] and not may_be_empty:
        raise bad_request("'input' must hold at least one message.", param="input")
    return read


def _updated(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """*body* with the last change of how hard to think that stands among its items."""
    items = body.get("input")
    for item in reversed(items) if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("type") == "configuration_update" and item.get("reasoning"):
            return {**body, "reasoning": item["reasoning"]}
    return body


def _reasoning_summary(body: Mapping[str, Any]) -> str | None:
    reasoning = read_object(body, "reasoning")
    kind = reasoning.get("summary") or reasoning.get("generate_summary")  # its older name
    return kind if isinstance(kind, str) else None


def _verbosity(body: Mapping[str, Any]) -> dict[str, Any]:
    verbosity = read_object(body, "text").get("verbosity")
    if verbosity is None:
        return {}
    check_text(verbosity, "text.verbosity")
    return {"text.verbosity": verbosity}


def _logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    """How likely the words were is told where it is to be included, or with others for them."""
    others = read_known(body, ("top_logprobs",))
    if any(others.values()) or _includes(body, _LOGPROBS):
        return {"logprobs": True, **others}
    return {}


def _hints(body: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name in HINTS if (value := body.get(name)) is not None}
    for name, value in found.items():
        if is_too_deep(value):
            raise bad_request(f"'{name}' is nested too deep.", param=name)
    return found


def _includes(body: Mapping[str, Any], name: str) -> bool:
    included = body.get("include")
    return isinstance(included, list) and name in included


def _echoed(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a client sent and reads back, where its type is right; the rest is shown as its default."""
    found = {name: value for name, kind in _ECHOED.items() if isinstance(value := body.get(name), kind)}
    echoed = {name: value for name, value in found.items() if not is_too_deep(value)}
    if isinstance(text := echoed.pop("text", None), dict):
        form = text.get("format") or {"type": "text"}
        echoed["text"] = {"format": form, "verbosity": text.get("verbosity") or "medium"}
    if isinstance(tools := echoed.get("tools"), list):
        echoed["tools"] = [_echoed_tool(tool) for tool in tools]
    return echoed


def _echoed_tool(tool: Any) -> Any:
    """A tool with all the fields that clients expect of its kind, none of them null that OpenAI gives a value."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    if not isinstance(kind, str):
        return tool
    defaults = _TOOL_DEFAULTS.get("web_search" if kind.startswith("web_search") else kind, {})
    return {**tool, **{name: value for name, value in defaults.items() if tool.get(name) is None}}


def _conversation(body: Mapping[str, Any]) -> str | None:
    value = body.get("conversation")
    return _name(value.get("id") or "" if isinstance(value, dict) else value, "conversation")


def _name(value: Any, param: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise wrong_type(param, "an id")
    return value
