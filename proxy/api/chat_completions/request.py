"""Reading a chat/completions request: everything clients send, and a clear 400 for what makes no sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from proxy.api.content import Content
from proxy.api.images.reading import NOT_KEPT, Picture, read_part, read_picture, without_unusable
from proxy.api.messages import blocks
from proxy.api.parameters import (
    MAX_MESSAGES,
    read_flag,
    read_known,
    read_limit,
    read_list,
    read_metadata,
    read_model,
    read_object,
    read_text,
    read_whole,
)
from proxy.api.tools import CLIENT_KINDS, ToolsMode, read_calls, read_tool_options, text_or_empty, unsupported
from proxy.chat.ask import SAMPLING, Ask
from proxy.chat.conversations import new_item_id
from proxy.chat.errors import bad_request, unsupported_part
from proxy.chat.extras import DETAILS, read_thoughts
from proxy.chat.extras import REASONING_TEXTS as THOUGHT_NAMES
from proxy.chat.nesting import is_too_deep
from shared.conversations import Message, Role, ToolResult

MAX_STOPS = 16
MAX_STOP_CHARS = 256
MAX_CHOICES = 4
_IGNORED = (*SAMPLING, "audio", "suffix")
_PLAIN = frozenset({"model", "messages", "stream"})
# What means the same whoever answers, or is told in other words; all else is passed on to a server.
_READ = (_PLAIN | frozenset(_IGNORED)) | {
    "conversation_id",
    "function_call",
    "functions",
    "max_completion_tokens",
    "max_tokens",
    "modalities",
    "n",
    "parallel_tool_calls",
    "response_format",
    "stop",
    "stream_options",
    "tool_choice",
    "tools",
    "web_search",
}
# Parts of no use to a model.
REASONING_TEXTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_text", "summary_text")
_SEARCH = "web_search_options"
_EXTRA_FIELDS = frozenset({"name", *THOUGHT_NAMES, DETAILS})  # of a message, and of no use to a site
FOR_SERVERS = ("input_audio", "file", "audio_url", "video_url")  # parts, as chat completions of servers know them
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}


@dataclass(slots=True)
class ChatRequest:
    """A request, normalised. `pictures` holds the images of all messages, or where to fetch them."""

    ask: Ask
    pictures: Mapping[str, Picture] = field(repr=False)
    stream: bool = False
    include_usage: bool = False
    choices: int = 1
    uses_functions: bool = False  # the older parameter, to which the answer is one `function_call`
    custom_as_functions: bool = False  # its custom tools are as Cursor writes them, which expects calls of functions


def parse_chat(body: Mapping[str, Any], tools: ToolsMode = "emulate") -> ChatRequest:
    """Read a chat/completions body. *tools*: what is done with them. Raises `ServiceError` (400) with the field."""
    model = read_model(body)
    messages, pictures, fields = _read_chat(body.get("messages"))
    if body.keys() <= _PLAIN:  # most requests
        return ChatRequest(
            Ask(model, messages, message_fields=fields, wants_extras=True),
            pictures,
            stream=read_flag(body, "stream"),
        )
    _refuse_unsupported(body)
    options = read_tool_options(body, tools)
    read_metadata(body.get("metadata"))
    parameters = read_known(body, _IGNORED)
    ask = Ask(
        model=model,
        messages=messages,
        conversation_id=read_text(body, "conversation_id"),
        web_search=read_flag(body, "web_search") or isinstance(body.get(_SEARCH), dict),
        search_word="web_search" if body.get("web_search") else _SEARCH,
        stops=read_stops(body, "stop"),
        max_tokens=read_limit(body, "max_tokens", "max_completion_tokens"),
        parameters=parameters,
        extra_parameters=_extras(body),
        message_fields=fields,
        wants_extras=True,
        ignored=options.left_out,
        tool_config=options.tool_config,
    )
    return ChatRequest(
        ask=ask,
        pictures=pictures,
        stream=read_flag(body, "stream"),
        include_usage=includes_usage(body),
        choices=_choices(body),
        uses_functions=options.tool_config is not None and not body.get("tools") and bool(body.get("functions")),
        custom_as_functions=any(
            tool.get("type") == "custom" and "custom" not in tool for tool in body.get("tools") or ()
        ),
    )


def _read_chat(value: Any) -> tuple[tuple[Message, ...], dict[str, Picture], dict[str, dict[str, Any]]]:
    """The messages, their pictures, and what else was said. Of models whose name has `claude` in it, Cursor tells calls
    and results as Anthropic's blocks."""
    if isinstance(value, list) and any(map(_has_blocks, value)):
        return (*blocks.read_messages(value), {})
    messages, pictures = read_messages(value)
    if pictures:
        messages, pictures = without_unusable(messages, pictures)
    messages, fields = _with_fields(value, messages)
    return messages, pictures, fields


def _has_blocks(item: Any) -> bool:
    content = item.get("content") if isinstance(item, dict) else None
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in ("tool_use", "tool_result") for part in content
    )


def read_messages(value: Any, *, name: str = "messages") -> tuple[tuple[Message, ...], dict[str, Picture]]:
    """Read the list of messages called *name*, and the pictures they name, fit or not. Raises `ServiceError` (400)."""
    if not isinstance(value, list):
        raise bad_request(f"'{name}' must be a list of messages.", param=name)
    if not value:
        raise bad_request(f"'{name}' must hold at least one message.", param=name)
    if len(value) > MAX_MESSAGES:
        raise bad_request(f"'{name}' holds more than {MAX_MESSAGES} messages.", param=name)
    pictures: dict[str, Picture] = {}
    messages = tuple(_read_message(item, f"{name}.{index}", pictures) for index, item in enumerate(value))
    return messages, pictures


def _read_message(item: Any, where: str, pictures: dict[str, Picture]) -> Message:
    if not isinstance(item, dict):
        raise bad_request(f"'{where}' must be an object with a role and content.", param=where)
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        known = ", ".join(_ROLES)
        raise bad_request(f"'{where}.role' must be one of {known}.", param=f"{where}.role", code="invalid_value")
    content: Any = item.get("content")
    images: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    if not isinstance(content, str):
        parts = _read_content(content, f"{where}.content", pictures)
        content, images, places = parts.text, parts.images, parts.places
    if role in ("tool", "function"):
        about = ToolResult(call_id=text_or_empty(item.get("tool_call_id")), name=text_or_empty(item.get("name")))
        return Message(role="user", text=content, images=images, places=places, result=about)
    if role == "assistant" and not content:
        content = text_or_empty(item.get("refusal"))
    if role == "assistant" and ("tool_calls" in item or "function_call" in item):
        return Message(role="assistant", text=content, calls=read_calls(item))
    return Message(role=_ROLES[role], text=content, images=images, places=places)


def _read_content(content: Any, where: str, pictures: dict[str, Picture]) -> Content:
    read = Content()
    if content is None:
        return read
    if not isinstance(content, list):
        raise bad_request(f"'{where}' must be a string or a list of content parts.", param=where)
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        place = f"{where}.{index}"
        if kind in ("text", "input_text", "output_text", "refusal"):  # no sets: a client may send what has no hash
            text = part.get("refusal" if kind == "refusal" else "text")
            if not isinstance(text, str):
                raise bad_request(f"'{place}.text' must be a string.", param=place)
            read.say(text)
        elif part == NOT_KEPT:
            continue
        elif kind in ("image_url", "input_image"):
            digest, image = read_picture(part.get("image_url"), place, part.get("detail"))
            pictures[digest] = image
            read.show(digest)
        elif isinstance(part, str):
            read.say(part)
        elif (file_part := _for_servers(kind, part)) is not None:
            digest, pictures[digest] = read_part(file_part, place)
            read.show(digest)
        elif kind not in REASONING_TEXTS:
            raise unsupported_part(place)
    return read


def _for_servers(kind: Any, part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """*part* as it is sent to servers, if it is of a kind that no site takes; else None."""
    if kind == "input_file":  # as the Responses API has it
        return {"type": "file", "file": {name: value for name, value in part.items() if name != "type"}}
    return part if kind in FOR_SERVERS and isinstance(part.get(kind), dict) else None


def includes_usage(body: Mapping[str, Any]) -> bool:
    """Whether a stream is to tell what it used. Raises `ServiceError` (400)."""
    return read_flag(read_object(body, "stream_options"), "include_usage")


def _extras(body: Mapping[str, Any]) -> dict[str, Any]:
    """All other fields: a server may know them."""
    extras = {name: value for name, value in body.items() if name not in _READ and value is not None}
    others = [tool for tool in body.get("tools") or () if tool.get("type", "function") not in CLIENT_KINDS]
    if others:  # they were read: the model's upstream has tools
        extras["tools"] = others
        if (choice := body.get("tool_choice")) is not None:
            extras["tool_choice"] = choice
    for name, value in extras.items():
        if is_too_deep(value):
            raise bad_request(f"'{name:.100}' is nested too deep.", param=name[:100])
    return extras


def _with_fields(items: Any, messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], dict[str, dict[str, Any]]]:
    """The same messages, and by their ids the extra fields that only servers take."""
    fields: dict[str, dict[str, Any]] = {}
    found = list(messages)
    for at, item in enumerate(items):
        if (
            not _EXTRA_FIELDS.isdisjoint(item)
            and found[at].result is None
            and (extra := _name_and_thoughts(item, f"messages.{at}"))
        ):
            found[at] = replace(found[at], id=new_item_id())
            fields[found[at].id] = extra
    return (tuple(found), fields) if fields else (messages, fields)


def _name_and_thoughts(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The participant's name, and an assistant's thoughts."""
    fields: dict[str, Any] = {"name": item["name"]} if isinstance(item.get("name"), str) and item["name"] else {}
    if item["role"] == "assistant":
        fields |= read_thoughts(item)
        if is_too_deep(fields.get(DETAILS)):
            raise bad_request(f"'{where}.{DETAILS}' is nested too deep.", param=f"{where}.{DETAILS}")
    return fields


def _choices(body: Mapping[str, Any]) -> int:
    count = read_whole(body, "n")
    if count is None:
        return 1
    if not 1 <= count <= MAX_CHOICES:
        raise bad_request(f"'n' must be from 1 to {MAX_CHOICES}.", param="n", code="invalid_value")
    if count > 1 and body.get("conversation_id"):
        raise unsupported("n", "A conversation goes on with one answer; leave conversation_id out for several.")
    return count


def read_stops(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The texts at which the answer is to end. Raises `ServiceError` (400)."""
    value = body.get(name)
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return ()
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops) or len(stops) > MAX_STOPS:
        message = f"'{name}' must be a string or at most {MAX_STOPS} of them."
        raise bad_request(message, param=name, code="invalid_type")
    if any(len(stop) > MAX_STOP_CHARS for stop in stops):
        message = f"A text in '{name}' must have at most {MAX_STOP_CHARS} characters."
        raise bad_request(message, param=name, code="string_above_max_length")
    return tuple(stop for stop in stops if stop)


def _refuse_unsupported(body: Mapping[str, Any]) -> None:
    """Refuse what would change the answer and cannot be done; leaving it out silently would be a lie."""
    if any(each != "text" for each in read_list(body, "modalities")):
        raise unsupported("modalities", "The site's bots answer in text only.")
