"""`/v1/conversations` and their items: stored conversations in OpenAI's shape."""

from typing import Any

from aiohttp import web

from proxy.keys import CONVERSATIONS
from proxy.protocol.chat_request import parse_json, read_messages
from proxy.protocol.items import item, item_list, page_of, read_page
from proxy.protocol.metadata import read_metadata
from proxy.rendering import json_response
from shared.conversations import Conversation


async def create_conversation(request: web.Request) -> web.Response:
    """Make a conversation, with first items if some are given."""
    body = await request.read()
    fields = parse_json(body) if body.strip() else {}
    items = fields.get("items") or []
    messages = read_messages(items, name="items")[0] if items else ()
    conversation = await request.app[CONVERSATIONS].create(read_metadata(fields.get("metadata")), messages)
    return json_response(to_wire(conversation))


async def retrieve_conversation(request: web.Request) -> web.Response:
    """One conversation by its id."""
    return json_response(to_wire(await request.app[CONVERSATIONS].find(request.match_info["id"])))


async def update_conversation(request: web.Request) -> web.Response:
    """Replace a conversation's metadata."""
    metadata = read_metadata(parse_json(await request.read()).get("metadata"))
    return json_response(to_wire(await request.app[CONVERSATIONS].update(request.match_info["id"], metadata)))


async def delete_conversation(request: web.Request) -> web.Response:
    """Forget a conversation."""
    name = request.match_info["id"]
    await request.app[CONVERSATIONS].delete(name)
    return json_response({"id": name, "object": "conversation.deleted", "deleted": True})


async def list_items(request: web.Request) -> web.Response:
    """The conversation's items, a page at a time, newest first unless asked otherwise."""
    page = read_page(request.query)
    conversation = await request.app[CONVERSATIONS].find(request.match_info["id"])
    return json_response(page_of(conversation.messages, page))


async def create_items(request: web.Request) -> web.Response:
    """Append items to the conversation; the next turn knows them."""
    messages, _ = read_messages(parse_json(await request.read()).get("items"), name="items")
    added = await request.app[CONVERSATIONS].add(request.match_info["id"], messages)
    return json_response(item_list(added))


async def retrieve_item(request: web.Request) -> web.Response:
    """One item of the conversation."""
    match = request.match_info
    return json_response(item(await request.app[CONVERSATIONS].item(match["id"], match["item_id"])))


async def delete_item(request: web.Request) -> web.Response:
    """Take an item out of the conversation; answers with the conversation, as OpenAI does."""
    match = request.match_info
    return json_response(to_wire(await request.app[CONVERSATIONS].delete_item(match["id"], match["item_id"])))


def to_wire(conversation: Conversation) -> dict[str, Any]:
    """OpenAI's conversation object; `conversation_id` repeats the id for clients of the earlier tool."""
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": conversation.metadata,
        "conversation_id": conversation.id,
    }
