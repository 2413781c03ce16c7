"""`/v1/chat/completions` and the legacy `/v1/completions`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, PICTURES
from proxy.api.chat_completions.choices import ChoicesReply
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ChatRequest, ignored_header, parse_chat
from proxy.api.completions.shapes import CompletionReply, to_chat_body
from proxy.api.sending import send
from proxy.chat.answer import Answer
from proxy.chat.choices import Choices
from proxy.server.bodies import read_body
from proxy.server.json_body import parse_json
from proxy.upstreams.aipkit.direct import Direct
from proxy.usage.counting import admit_turns


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answer a chat request, streamed or whole."""
    chat = await _read(request, parse_json)
    await admit_turns(request, chat.choices)
    headers = ignored_header(chat.ignored)
    answers = [await request.app[CHAT].answer(chat, owner=request[CALLER].owner) for _ in range(chat.choices)]
    replies = [_reply(chat, answers[0].id, answer, index) for index, answer in enumerate(answers)]
    if len(answers) == 1:
        answers[0].direct = Direct(*replies[0].around_text)
        return await send(
            request, answers[0], replies[0], stream=chat.stream, headers=headers, direct=answers[0].direct
        )
    return await send(request, Choices(answers), ChoicesReply(replies), stream=chat.stream, headers=headers)


async def create_completion(request: web.Request) -> web.StreamResponse:
    """Answer a bare prompt, streamed or whole."""
    chat = await _read(request, lambda body: to_chat_body(parse_json(body)))
    answer = await request.app[CHAT].answer(chat, owner=request[CALLER].owner)
    reply = CompletionReply(
        id=answer.id.replace("chatcmpl-", "cmpl-"),
        created=answer.created,
        model=answer.model,
        include_usage=chat.include_usage,
    )
    return await send(request, answer, reply, stream=chat.stream, headers=ignored_header(chat.ignored))


async def _read(request: web.Request, to_fields: Callable[[bytes], Mapping[str, Any]]) -> ChatRequest:
    """The request, with the pictures that it names by address."""
    chat = await read_body(request, lambda body: parse_chat(to_fields(body)))
    messages, pictures = await request.app[PICTURES].fetch(chat.messages, chat.pictures)
    caller = request[CALLER]
    return replace(
        chat, messages=messages, pictures=pictures, caller=caller.place(request.remote), allowed=caller.models
    )


def _reply(chat: ChatRequest, id: str, answer: Answer, index: int) -> ChatReply:
    return ChatReply(
        id=id,
        created=answer.created,
        model=answer.model,
        conversation_id=answer.conversation_id,
        include_usage=chat.include_usage,
        index=index,
    )
