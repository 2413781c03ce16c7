"""`/v1/responses`: OpenAI's Responses API."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, RESPONSES
from proxy.api.conversations.items import page_of, read_page
from proxy.api.parameters import named_as
from proxy.api.receiving import read_request, with_tools_mode
from proxy.api.rendering import json_response
from proxy.api.responses.compaction import CompactedReply, CompactionReply, is_asked_within, parse_compaction
from proxy.api.responses.reply import ResponseReply
from proxy.api.responses.request import ResponseRequest, parse_response
from proxy.api.sending import send
from proxy.api.tools import ToolsMode, unsupported
from proxy.server.bodies import read_body


async def create_response(request: web.Request) -> web.StreamResponse:
    """Answer, streamed or whole; with a summary alone, where that is asked for."""
    parsed = await read_request(request, _parse)
    return await _answer(request, parsed, ResponseReply if parsed.user_items is None else CompactionReply)


async def compact_response(request: web.Request) -> web.StreamResponse:
    """Sum a conversation up."""
    parsed = await read_request(request, parse_compaction)
    parsed.stream = False
    return await _answer(request, parsed, CompactedReply)


async def _answer(request: web.Request, parsed: ResponseRequest, replies: type[ResponseReply]) -> web.StreamResponse:
    with named_as(messages="input", conversation_id="conversation"):
        answer, reply = await request.app[RESPONSES].create(parsed, owner=request[CALLER].owner, replies=replies)
        return await send(request, [answer], reply, stream=parsed.stream)


async def count_input_tokens(request: web.Request) -> web.Response:
    """About as many tokens as a request would be; no site is asked."""
    parsed = await read_body(request, with_tools_mode(request, _parse))
    with named_as(conversation_id="conversation"):
        count = await request.app[RESPONSES].count_tokens(parsed, owner=request[CALLER].owner)
    return json_response({"object": "response.input_tokens", "input_tokens": count})


async def retrieve_response(request: web.Request) -> web.Response:
    """One stored response by its id."""
    if request.query.get("stream") == "true":
        raise unsupported("stream", "A stored response is answered in one piece.")
    return await _stored(request)


async def cancel_response(request: web.Request) -> web.Response:
    """The stored response: what is stored is whole, and OpenAI's servers answer with that too then."""
    return await _stored(request)


async def _stored(request: web.Request) -> web.Response:
    found = await request.app[RESPONSES].find(request.match_info["id"], owner=request[CALLER].owner)
    return web.Response(body=found.encode(), content_type="application/json")


async def delete_response(request: web.Request) -> web.Response:
    """Forget a stored response."""
    name = request.match_info["id"]
    await request.app[RESPONSES].delete(name, owner=request[CALLER].owner)
    return json_response({"id": name, "object": "response", "deleted": True})


async def list_input_items(request: web.Request) -> web.Response:
    """What a stored response answers to, a page at a time, newest first unless asked otherwise."""
    page = read_page(request.query)
    items = await request.app[RESPONSES].input_items(request.match_info["id"], owner=request[CALLER].owner)
    return json_response(page_of(items, page))


def _parse(fields: Mapping[str, Any], tools: ToolsMode) -> ResponseRequest:
    return (parse_compaction if is_asked_within(fields) else parse_response)(fields, tools)
