"""`/v1/conversations` and their items: stored conversations in OpenAI's shape."""

from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CONVERSATIONS, PICTURES
from proxy.api.conversations.items import find_item, item_list, items_of, message_of, page_of, read_page
from proxy.api.images.reading import Picture
from proxy.api.parameters import read_metadata, read_new_metadata
from proxy.api.rendering import json_response
from proxy.api.responses.input_items import read_items
from proxy.chat.ask import ContentPart
from proxy.chat.errors import unsupported_part
from proxy.server.bodies import parse_json, read_body
from shared.conversations import Conversation, Message


async def create_conversation(request: web.Request) -> web.Response:
    """Make a conversation, with first items if some are given."""
    metadata, messages, pictures = await read_body(request, _parse)
    messages, _ = await request.app[PICTURES].fetch(messages, pictures)
    conversation = await request.app[CONVERSATIONS].create(metadata, messages, owner=_owner(request))
    return json_response(to_wire(conversation))


async def retrieve_conversation(request: web.Request) -> web.Response:
    """One conversation by its id."""
    return json_response(
        to_wire(await request.app[CONVERSATIONS].find(request.match_info["id"], owner=_owner(request)))
    )


async def update_conversation(request: web.Request) -> web.Response:
    """Replace a conversation's metadata."""
    metadata = await read_body(request, lambda body: read_new_metadata(parse_json(body)))
    name = request.match_info["id"]
    return json_response(to_wire(await request.app[CONVERSATIONS].update(name, metadata, owner=_owner(request))))


async def delete_conversation(request: web.Request) -> web.Response:
    """Forget a conversation."""
    name = request.match_info["id"]
    await request.app[CONVERSATIONS].delete(name, owner=_owner(request))
    return json_response({"id": name, "object": "conversation.deleted", "deleted": True})


async def list_items(request: web.Request) -> web.Response:
    """The conversation's items, a page at a time, newest first unless asked otherwise."""
    page = read_page(request.query)
    conversation = await request.app[CONVERSATIONS].find(request.match_info["id"], owner=_owner(request))
    return json_response(page_of(conversation.messages, page))


async def create_items(request: web.Request) -> web.Response:
    """Append items to the conversation; the next turn knows them."""
    new = await read_body(request, lambda body: _read_items(parse_json(body).get("items")))
    messages, _ = await request.app[PICTURES].fetch(*new)
    added = await request.app[CONVERSATIONS].add(request.match_info["id"], messages, owner=_owner(request))
    return json_response(item_list([item for message in added for item in items_of(message)]))


async def retrieve_item(request: web.Request) -> web.Response:
    """One item of the conversation."""
    match = request.match_info
    name = match["item_id"]
    found = await request.app[CONVERSATIONS].item(match["id"], message_of(name), owner=_owner(request))
    return json_response(find_item(found, name))


async def delete_item(request: web.Request) -> web.Response:
    """Take an item out of the conversation, with all that is one message with it; answers with the conversation, as
    OpenAI does."""
    match = request.match_info
    name = message_of(match["item_id"])
    left = await request.app[CONVERSATIONS].delete_item(match["id"], name, owner=_owner(request))
    return json_response(to_wire(left))


def _owner(request: web.Request) -> str:
    return request[CALLER].owner


def _parse(body: bytes) -> tuple[dict[str, str], tuple[Message, ...], dict[str, Picture]]:
    """Metadata, items and the pictures in them; the body may be empty."""
    fields = parse_json(body) if body.strip() else {}
    items = fields.get("items")
    messages, pictures = ((), {}) if items is None or items == [] else _read_items(items)
    return read_metadata(fields.get("metadata")), messages, pictures


def _read_items(items: Any) -> tuple[tuple[Message, ...], dict[str, Picture]]:
    """The messages of *items*, and their pictures; what only servers could take is not kept."""
    messages, pictures = read_items(items, name="items")
    for part in pictures.values():
        if isinstance(part, ContentPart):
            raise unsupported_part(part.where)
    return messages, pictures


def to_wire(conversation: Conversation) -> dict[str, Any]:
    """OpenAI's conversation object; `conversation_id` repeats the id for clients of the earlier tool."""
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": int(conversation.created_at),
        "metadata": conversation.metadata,
        "conversation_id": conversation.id,
    }
