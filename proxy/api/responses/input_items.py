"""The items that clients send to OpenAI's Responses and Conversations APIs, as messages."""

from collections.abc import Mapping
from typing import Any

from proxy.api.chat_completions.request import read_messages
from proxy.api.images.reading import Picture
from proxy.chat.errors import ServiceError, bad_request
from shared.conversations import Message

_UNREAD = ("reasoning", "web_search_call")  # of earlier answers; they hold nothing a model is told


def read_items(items: Any, *, name: str, may_refer: bool = False) -> tuple[tuple[Message, ...], dict[str, Picture]]:
    """The messages of a field *name* that holds *items*, and their pictures by what names them.

    With *may_refer* an item may only name an earlier answer: its message has that id, and no text. Raises
    `ServiceError` (400).
    """
    if not isinstance(items, list):
        raise bad_request(f"'{name}' must be a list of items.", param=name)
    messages: list[Any] = []
    references: dict[int, str] = {}
    for index, item in enumerate(items):
        where = f"{name}.{index}"
        kind = _kind(item)
        if kind in _UNREAD:
            continue
        if kind == "item_reference" and may_refer:
            references[len(messages)] = _reference(item, f"{where}.id")
            messages.append({"role": "assistant", "content": ""})
        elif kind == "message":
            messages.append(item)
        elif kind == "function_call":
            messages.append({"role": "assistant", "tool_calls": [{"id": item.get("call_id"), "function": item}]})
        elif kind == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
        else:
            raise _unreadable(where)
    read, pictures = read_messages(messages, name=name)
    named = (
        message.model_copy(update={"id": references[position]}) if position in references else message
        for position, message in enumerate(read)
    )
    return tuple(named), pictures


def _kind(item: Any) -> Any:
    """The type of an item, which may be left out."""
    if not isinstance(item, dict):
        return "message"
    kind = item.get("type")
    if kind is None:
        return "item_reference" if "id" in item and "role" not in item else "message"
    return kind


def _reference(item: Mapping[str, Any], where: str) -> str:
    name = item.get("id")
    if not isinstance(name, str) or not name:
        raise bad_request(f"'{where}' must name an item.", param=where, code="invalid_type")
    return name


def _unreadable(where: str) -> ServiceError:
    return bad_request(
        f"'{where}' has a type the site cannot take; use messages.", param=where, code="unsupported_item"
    )
