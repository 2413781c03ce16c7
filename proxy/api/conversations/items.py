"""Messages as the items of OpenAI's Conversations and Responses APIs, and lists of them page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from proxy.api.conversations.client_tools import CLIENT_TOOLS, call_fields, result_fields
from proxy.api.images.reading import NOT_KEPT
from proxy.api.parameters import read_page_size
from proxy.chat.conversations import unknown_item
from proxy.chat.errors import bad_request
from proxy.chat.nesting import is_too_deep
from shared.conversations import Citation, Message, ToolCall, ToolKind, ToolResult

DEFAULT_LIMIT, MAX_LIMIT = 20, 100  # OpenAI's

# How the id of an item begins tells its type, and OpenAI's API refuses histories in which it does not.
CALL_IDS: Mapping[ToolKind, str] = {
    "function": "fc",
    "custom": "ctc",
    "tool_search": "tsc",
    "shell": "sh",
    "local_shell": "lsh",
    "apply_patch": "apc",
}
RESULT_IDS: Mapping[ToolKind, str] = {
    "function": "fco",
    "custom": "ctco",
    "tool_search": "tso",
    "shell": "sho",
    "local_shell": "lsho",
    "apply_patch": "apco",
}
REASONING_ID = "rs"  # of what a model thought before the message of the same name; no list shows it
_BEFORE = {"ctc": "fc", "fco": "msg", "ctco": "msg"}  # how they began once; clients may hold such ids


@dataclass(frozen=True, slots=True)
class Page:
    """The requested part of a list. *after*: the id of the item before its first one."""

    limit: int
    newest_first: bool
    after: str | None


def read_page(query: Mapping[str, str]) -> Page:
    """The page that a request's query asks for. Raises `ServiceError` (400)."""
    limit = read_page_size(query, DEFAULT_LIMIT, MAX_LIMIT)
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise bad_request("'order' must be asc or desc.", param="order", code="invalid_value")
    return Page(limit, order == "desc", query.get("after") or None)


def items_of(message: Message) -> list[dict[str, Any]]:
    """The items that one message is: its calls are items of their own. Pictures are not kept: their place is shown
    without an address."""
    if message.result is not None:
        return [_result_item(message, message.result)]
    content: list[dict[str, Any]] = []
    if message.role == "assistant":
        content.append(
            {"type": "output_text", "text": message.text, "annotations": citations(message.sources), "logprobs": []}
        )
    elif message.text or not message.images:
        content.append({"type": "input_text", "text": message.text})
    content += [dict(NOT_KEPT) for _ in message.images]
    item = {"id": message.id, "type": "message", "status": "completed", "role": message.role, "content": content}
    return [*([item] if message.text or not message.calls else []), *call_items(message)]


def citations(sources: Sequence[Citation]) -> list[dict[str, Any]]:
    """*sources* as the annotations of a text; those of chat completions are nested one level deeper."""
    return [
        {
            "type": "url_citation",
            "url": source.url,
            "title": source.title,
            "start_index": source.start,
            "end_index": source.end,
        }
        for source in sources
    ]


def _result_item(message: Message, result: ToolResult) -> dict[str, Any]:
    fields = {"id": f"{RESULT_IDS[result.kind]}_{message.id[4:]}", "call_id": result.call_id, "status": "completed"}
    if result.kind == "tool_search":
        return {"type": "tool_search_output", **fields, "execution": "client", "tools": _found_in(message.text)}
    if result.kind in CLIENT_TOOLS:
        given = result_fields(result.kind, message.text, failed=result.failed)
        return {"type": f"{result.kind}_call_output", **fields, **given}
    kind = "custom_tool_call_output" if result.kind == "custom" else "function_call_output"
    return {"type": kind, **fields, "output": message.text}


def _found_in(text: str) -> list[dict[str, Any]]:
    """The tools that the text of a search's result tells of."""
    lines = (_object(line) for line in text.splitlines() if line.startswith("{"))
    return [{"type": "function", **line} for line in lines if line]


def _object(text: str) -> dict[str, Any]:
    """The object that *text* is as JSON, empty where it is none."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) and not is_too_deep(value) else {}


def call_items(message: Message) -> list[dict[str, Any]]:
    """The items of its calls."""
    return [call_item(call, message.id, index) for index, call in enumerate(message.calls)]


def call_item(call: ToolCall, message_id: str, index: int) -> dict[str, Any]:
    """One call; its id leads to the message that it is part of (see `message_of`)."""
    fields = {"id": f"{CALL_IDS[call.kind]}_{message_id[4:]}_{index}", "call_id": call.id, "status": "completed"}
    if call.kind == "tool_search":
        return {"type": "tool_search_call", **fields, "execution": "client", "arguments": _object(call.arguments)}
    if call.kind in CLIENT_TOOLS:
        return {"type": f"{call.kind}_call", **fields, **call_fields(call.kind, _object(call.arguments))}
    named = {"name": call.name, **({"namespace": call.namespace} if call.namespace else {})}
    if call.kind == "custom":
        return {"type": "custom_tool_call", **fields, **named, "input": call.arguments}
    return {"type": "function_call", **fields, **named, "arguments": call.arguments}


def message_of(item_id: str) -> str:
    """The id of the message that the item is, or is a call or a thought of."""
    kind, _, rest = item_id.partition("_")
    if kind in CALL_IDS.values() or kind == REASONING_ID:
        return f"msg_{rest.partition('_')[0]}"
    return f"msg_{rest}" if kind in RESULT_IDS.values() else item_id


def find_item(message: Message, item_id: str) -> dict[str, Any]:
    """The item of that name in *message*. Raises `ServiceError` (404)."""
    for item in items_of(message):
        if _is_named(item, item_id):
            return item
    raise unknown_item(item_id)


def _is_named(item: Mapping[str, Any], item_id: str) -> bool:
    kind, _, rest = item["id"].partition("_")
    return item_id in (item["id"], f"{_BEFORE.get(kind, kind)}_{rest}")


def item_list(items: Sequence[Mapping[str, Any]], *, has_more: bool = False) -> dict[str, Any]:
    """OpenAI's list of items."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else "",
        "last_id": items[-1]["id"] if items else "",
        "has_more": has_more,
    }


def page_of(messages: Sequence[Message], page: Page) -> dict[str, Any]:
    """The *page* of the items of *messages* (oldest first). Raises `ServiceError` (404) where `after` names none."""
    items = [item for message in messages for item in items_of(message)]
    if page.newest_first:
        items.reverse()
    start = 0
    if page.after is not None:
        start = next((at for at, item in enumerate(items, 1) if _is_named(item, page.after)), 0)
        if not start:
            raise unknown_item(page.after)
    end = start + page.limit
    return item_list(items[start:end], has_more=end < len(items))
