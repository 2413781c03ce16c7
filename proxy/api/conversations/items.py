"""Messages as the items of OpenAI's Conversations and Responses APIs, and lists of them page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.chat.conversations import position_of
from proxy.chat.errors import bad_request
from shared.conversations import Message

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


def item(message: Message) -> dict[str, Any]:
    """One message as an item. Pictures are not kept: their place is shown without an address."""
    content: list[dict[str, Any]] = []
    if message.role == "assistant":
        content.append({"type": "output_text", "text": message.text, "annotations": [], "logprobs": []})
    elif message.text or not message.images:
        content.append({"type": "input_text", "text": message.text})
    for _ in message.images:
        content.append({"type": "input_image", "detail": "auto", "image_url": None, "file_id": None})
    return {"id": message.id, "type": "message", "status": "completed", "role": message.role, "content": content}


def item_list(messages: Sequence[Message], *, has_more: bool = False) -> dict[str, Any]:
    """OpenAI's list of items."""
    return {
        "object": "list",
        "data": [item(message) for message in messages],
        "first_id": messages[0].id if messages else "",
        "last_id": messages[-1].id if messages else "",
        "has_more": has_more,
    }


def page_of(messages: Sequence[Message], page: Page) -> dict[str, Any]:
    """The *page* of *messages* (oldest first). Raises `ServiceError` (404) where `after` names none of them."""
    ordered = list(reversed(messages)) if page.newest_first else list(messages)
    start = 0
    if page.after is not None:
        start = position_of(ordered, page.after) + 1
    end = start + page.limit
    return item_list(ordered[start:end], has_more=end < len(ordered))
