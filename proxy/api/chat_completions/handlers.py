"""`/v1/chat/completions`."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest, includes_usage, parse_chat
from proxy.api.receiving import admit_turns, read_request
from proxy.api.responses.request import parse_response
from proxy.api.sending import send
from proxy.api.tools import ToolsMode
from proxy.chat.errors import bad_request


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answer a chat request, streamed or whole."""
    chat = await read_request(request, _parse)
    chats, owner = request.app[CHAT], request[CALLER].owner
    if chat.choices > 1:
        await admit_turns(request, chat.choices)
    answers = [await chats.answer(chat.ask, owner=owner) for _ in range(chat.choices)]
    first = answers[0]
    reply = ChatReply(
        chat, id=first.id, created=first.created, model=first.model, conversation_id=first.conversation_id
    )
    return await send(request, answers, reply, stream=chat.stream)


def _parse(fields: Mapping[str, Any], tools: ToolsMode) -> ChatRequest:
    """Read a chat request, or one of the Responses API, as Cursor sends those of its agents: both get a chat's answer.

    Raises `ServiceError` (400).
    """
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
        custom_as_functions=True,
    )
