"""`/v1/chat/completions`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, PICTURES, SETTINGS
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest, parse_chat
from proxy.api.sending import admit_turns, send
from proxy.api.tools import Mode
from proxy.server.bodies import parse_json, read_body


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answer a chat request, streamed or whole."""
    chat = await read_chat(request, parse_json)
    chats, owner = request.app[CHAT], request[CALLER].owner
    if chat.choices > 1:
        await admit_turns(request, chat.choices)
    answers = [await chats.answer(chat.ask, owner=owner)]
    while len(answers) < chat.choices:
        answers.append(await chats.answer(chat.ask, owner=owner))
    reply = ChatReply(
        id=answers[0].id,
        created=answers[0].created,
        model=answers[0].model,
        conversation_id=answers[0].conversation_id,
        include_usage=chat.include_usage,
        answers=len(answers),
        is_old=chat.is_old,
    )
    return await send(request, answers, reply, stream=chat.stream)


def tools_mode(request: web.Request, body: Mapping[str, Any]) -> Mode:
    """What is done with the tools and the form of the answer that *body* asks for."""
    mode: Mode = request.app[SETTINGS].tools
    name = body.get("model")
    if mode == "emulate" and not body.get("tools"):  # most requests
        return mode
    return "native" if isinstance(name, str) and request.app[CHAT].has_tools(name.strip()) else mode


async def read_chat(
    request: web.Request,
    to_fields: Callable[[bytes], Mapping[str, Any]],
    parse: Callable[[Mapping[str, Any], Mode], ChatRequest] = parse_chat,
) -> ChatRequest:
    """The request as *parse*, a pure function, reads it, with the pictures that it names by address. Raises
    `ServiceError`."""

    def read(body: bytes) -> ChatRequest:
        fields = to_fields(body)
        return parse(fields, tools_mode(request, fields))

    chat = await read_body(request, read)
    ask, caller = chat.ask, request[CALLER]
    if chat.pictures:
        messages, images = await request.app[PICTURES].fetch(ask.messages, chat.pictures)
        ask = replace(ask, messages=messages, images=images)
    chat.ask = replace(ask, caller=caller.place(request.remote), allowed=caller.models)
    return chat
