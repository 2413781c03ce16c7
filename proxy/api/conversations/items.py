"""Messages as the items of OpenAI's Conversations and Responses APIs, and lists of them page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.chat.conversations import unknown_item
from proxy.chat.errors import bad_request
from shared.conversations import Call, Message

DEFAULT_LIMIT, MAX_LIMIT = 20, 100  # OpenAI's


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for. *after*: the id of the item before the first one wanted."""

    limit: int = DEFAULT_LIMIT
    newest_first: bool = True
    after: str | None = None


def read_page(query: Mapping[str, str]) -> Page:
    """The page that a request's query asks for. Raises `ServiceError` (400)."""
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= MAX_LIMIT):
        raise bad_request(f"'limit' must be a number from 1 to {MAX_LIMIT}.", param="limit", code="invalid_value")
    order = query.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise bad_request("'order' must be asc or desc.", param="order", code="invalid_value")
    return Page(int(limit), order == "desc", query.get("after") or None)


def items_of(message: Message) -> list[dict[str, Any]]:
    """The items that one message is: its calls are items of their own. Pictures are not kept: their place is shown
    without an address."""
    if message.result is not None:
        return [
            {
                "id": message.id,
                "type": "function_call_output",
                "call_id": message.result.call_id,
                "output": message.text,
                "status": "completed",
            }
        ]
    content: list[dict[str, Any]] = []
    if message.role == "assistant":
        content.append({"type": "output_text", "text": message.text, "annotations": [], "logprobs": []})
    elif message.text or not message.images:
        content.append({"type": "input_text", "text": message.text})
    for _ in message.images:
        content.append({"type": "input_image", "detail": "auto", "image_url": None, "file_id": None})
    told = {"id": message.id, "type": "message", "status": "completed", "role": message.role, "content": content}
    return [*([told] if message.text or not message.calls else []), *call_items(message)]


def call_items(message: Message) -> list[dict[str, Any]]:
    """The items of its calls."""
    return [call_item(call, message.id, index) for index, call in enumerate(message.calls)]


def call_item(call: Call, message_id: str, index: int) -> dict[str, Any]:
    """One call; its id leads to the message that it is part of (see `message_of`)."""
    named = {"name": call.name, **({"namespace": call.namespace} if call.namespace else {})}
    told = {"id": f"fc_{message_id[4:]}_{index}", "call_id": call.id, **named, "status": "completed"}
    if call.kind == "custom":
        return {"type": "custom_tool_call", **told, "input": call.arguments}
    return {"type": "function_call", **told, "arguments": call.arguments}


def message_of(item_id: str) -> str:
    """The id of the message that the item is, or is a call of."""
    return f"msg_{item_id[3:].partition('_')[0]}" if item_id.startswith("fc_") else item_id


def find_item(message: Message, item_id: str) -> dict[str, Any]:
    """The item of that name in *message*. Raises `ServiceError` (404)."""
    for item in items_of(message):
        if item["id"] == item_id:
            return item
    raise unknown_item(item_id)


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
        start = next((at for at, item in enumerate(items, 1) if item["id"] == page.after), 0)
        if not start:
            raise unknown_item(page.after)
    end = start + page.limit
    return item_list(items[start:end], has_more=end < len(items))
