"""`/v1/conversations`: stored conversations in OpenAI's shape."""

from typing import Any

from aiohttp import web

from proxy.keys import CONVERSATIONS
from proxy.protocol.chat_request import parse_json, read_messages
from proxy.protocol.errors import bad_request
from proxy.rendering import json_response
from shared.conversations import Conversation

MAX_PAIRS, MAX_KEY, MAX_VALUE = 16, 64, 512  # OpenAI's limits for metadata


async def create_conversation(request: web.Request) -> web.Response:
    """Make a conversation, with first items if some are given."""
    body = await request.read()
    fields = parse_json(body) if body.strip() else {}
    items = fields.get("items") or []
    messages = read_messages(items)[0] if items else ()
    conversation = await request.app[CONVERSATIONS].create(_read_metadata(fields.get("metadata")), messages)
    return json_response(to_wire(conversation))


async def retrieve_conversation(request: web.Request) -> web.Response:
    """One conversation by its id."""
    return json_response(to_wire(await request.app[CONVERSATIONS].find(request.match_info["id"])))


async def update_conversation(request: web.Request) -> web.Response:
    """Replace a conversation's metadata."""
    metadata = _read_metadata(parse_json(await request.read()).get("metadata"))
    return json_response(to_wire(await request.app[CONVERSATIONS].update(request.match_info["id"], metadata)))


async def delete_conversation(request: web.Request) -> web.Response:
    """Forget a conversation."""
    name = request.match_info["id"]
    await request.app[CONVERSATIONS].delete(name)
    return json_response({"id": name, "object": "conversation.deleted", "deleted": True})


def to_wire(conversation: Conversation) -> dict[str, Any]:
    """OpenAI's conversation object; `conversation_id` repeats the id for clients of the earlier tool."""
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": conversation.metadata,
        "conversation_id": conversation.id,
    }


def _read_metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    is_plain = isinstance(value, dict) and all(
        isinstance(item, str) and len(key) <= MAX_KEY and len(item) <= MAX_VALUE for key, item in value.items()
    )
    if not is_plain or len(value) > MAX_PAIRS:
        raise bad_request(
            f"'metadata' must be an object of at most {MAX_PAIRS} strings of {MAX_VALUE} characters.", param="metadata"
        )
    return dict(value)
