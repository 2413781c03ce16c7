"""`/v1/responses`: OpenAI's Responses API."""

from dataclasses import replace

from aiohttp import web

from proxy.api.app_keys import CALLER, PICTURES, RESPONSES
from proxy.api.chat_completions.handlers import tools_mode
from proxy.api.conversations.items import page_of, read_page
from proxy.api.parameters import named_as
from proxy.api.rendering import json_response
from proxy.api.responses.compaction import CompactedReply, CompactionReply, is_asked_within, parse_compaction
from proxy.api.responses.reply import ResponseReply
from proxy.api.responses.request import ResponseRequest, parse_response
from proxy.api.sending import send
from proxy.api.tools import unsupported
from proxy.server.bodies import parse_json, read_body


async def create_response(request: web.Request) -> web.StreamResponse:
    """Answer, streamed or whole; with a summary alone, where that is asked for."""
    wanted, replies = await _read(request)
    return await _answer(request, wanted, replies)


async def compact_response(request: web.Request) -> web.StreamResponse:
    """Sum a conversation up."""

    def parse(body: bytes) -> ResponseRequest:
        fields = parse_json(body)
        return replace(parse_compaction(fields, tools_mode(request, fields)), stream=False)

    return await _answer(request, await read_body(request, parse), CompactedReply)


async def _answer(request: web.Request, wanted: ResponseRequest, replies: type[ResponseReply]) -> web.StreamResponse:
    messages, images = await request.app[PICTURES].fetch(wanted.input, wanted.pictures)
    caller = request[CALLER]
    wanted = replace(wanted, input=messages, allowed=caller.models)
    with named_as(messages="input", conversation_id="conversation"):
        answer, reply = await request.app[RESPONSES].create(
            wanted, images, caller=caller.place(request.remote), owner=caller.owner, replies=replies
        )
        return await send(request, [answer], reply, stream=wanted.stream)


async def count_input_tokens(request: web.Request) -> web.Response:
    """About as many tokens as a request would be; no site is asked."""
    wanted, _ = await _read(request)
    with named_as(conversation_id="conversation"):
        count = await request.app[RESPONSES].count_tokens(wanted, owner=request[CALLER].owner)
    return json_response({"object": "response.input_tokens", "input_tokens": count})


async def retrieve_response(request: web.Request) -> web.Response:
    """One stored response by its id."""
    if request.query.get("stream") == "true":
        raise unsupported("stream", "A stored response is answered in one piece.")
    return json_response(await request.app[RESPONSES].find(request.match_info["id"], owner=request[CALLER].owner))


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


async def _read(request: web.Request) -> tuple[ResponseRequest, type[ResponseReply]]:
    def parse(body: bytes) -> tuple[ResponseRequest, type[ResponseReply]]:
        fields = parse_json(body)
        mode = tools_mode(request, fields)
        if is_asked_within(fields):
            return parse_compaction(fields, mode), CompactionReply
        return parse_response(fields, mode), ResponseReply

    return await read_body(request, parse)
