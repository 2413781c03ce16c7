"""`/v1/chat/completions`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, PICTURES, SETTINGS
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest, includes_usage, parse_chat
from proxy.api.responses.request import ResponseRequest, parse_response
from proxy.api.sending import admit_turns, send
from proxy.api.tools import ToolsMode
from proxy.chat.errors import bad_request
from proxy.server.bodies import parse_json, read_body

T = TypeVar("T")
Asking = TypeVar("Asking", ChatRequest, ResponseRequest)


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answer a chat request, streamed or whole."""
    chat = await read_chat(request, _parse)
    chats, owner = request.app[CHAT], request[CALLER].owner
    if chat.choices > 1:
        await admit_turns(request, chat.choices)
    answers = [await chats.answer(chat.ask, owner=owner) for _ in range(chat.choices)]
    first = answers[0]
    reply = ChatReply(
        chat, id=first.id, created=first.created, model=first.model, conversation_id=first.conversation_id
    )
    return await send(request, answers, reply, stream=chat.stream)


def _tools_mode(request: web.Request, body: Mapping[str, Any]) -> ToolsMode:
    """What is done with the tools and the form of the answer that *body* asks for."""
    mode: ToolsMode = request.app[SETTINGS].tools
    name = body.get("model")
    if mode == "emulate" and not body.get("tools"):  # most requests
        return mode
    if not isinstance(name, str):
        return mode
    return "native" if request.app[CHAT].has_tools(name.strip(), request[CALLER].models) else mode


def _parse(fields: Mapping[str, Any], tools: ToolsMode) -> ChatRequest:
    """A chat, also in the shape of a response: so Cursor sends its agents' here, and expects a chat's answer."""
    if "messages" in fields or "input" not in fields:
        return parse_chat(fields, tools)
    response = parse_response(fields, tools)
    if (
        response.previous_response_id
        or response.conversation_id
        or any(message.id for message in response.ask.messages)
    ):
        raise bad_request("What is kept of responses goes on at /v1/responses.", param="input")
    return ChatRequest(
        response.to_ask((), response.ask.messages),
        response.pictures,
        stream=response.stream,
        include_usage=includes_usage(fields),
        is_flat=True,
    )


def by_fields(request: web.Request, parse: Callable[[Mapping[str, Any], ToolsMode], T]) -> Callable[[bytes], T]:
    """What reads a body (see `read_body`) by its fields, and by what is done with the tools in them."""

    def read(body: bytes) -> T:
        fields = parse_json(body)
        return parse(fields, _tools_mode(request, fields))

    return read


async def read_chat(request: web.Request, parse: Callable[[Mapping[str, Any], ToolsMode], Asking]) -> Asking:
    """A request to a model as *parse*, a pure function, reads it, with who asks and the pictures that are named by
    address. Raises what *parse* raises, and `ServiceError`."""
    asking = await read_body(request, by_fields(request, parse))
    ask, caller = asking.ask, request[CALLER]
    if asking.pictures:
        messages, images = await request.app[PICTURES].fetch(ask.messages, asking.pictures)
        ask = replace(ask, messages=messages, images=images)
    asking.ask = replace(ask, caller=caller.queue_key(request.remote), allowed=caller.models)
    return asking
