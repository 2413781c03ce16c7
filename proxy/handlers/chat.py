"""`/v1/chat/completions` and the legacy `/v1/completions`."""

from aiohttp import web

from proxy.answer import Answer
from proxy.keys import CHAT, SETTINGS
from proxy.protocol.chat_reply import ChatReply
from proxy.protocol.chat_request import ChatRequest, parse_chat, parse_json
from proxy.protocol.completions import CompletionReply, to_chat_body
from proxy.rendering import json_response
from proxy.streaming import AnswerStream, Reply


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answer a chat request, streamed or whole."""
    chat = parse_chat(parse_json(await request.read()))
    answer = await request.app[CHAT].answer(chat)
    reply = ChatReply(
        id=answer.id,
        created=answer.created,
        model=answer.model,
        conversation_id=answer.conversation_id,
        include_usage=chat.include_usage,
    )
    return await _send(request, chat, answer, reply)


async def create_completion(request: web.Request) -> web.StreamResponse:
    """Answer a bare prompt, streamed or whole."""
    chat = parse_chat(to_chat_body(parse_json(await request.read())))
    answer = await request.app[CHAT].answer(chat)
    reply = CompletionReply(
        id=answer.id.replace("chatcmpl-", "cmpl-"),
        created=answer.created,
        model=answer.model,
        include_usage=chat.include_usage,
    )
    return await _send(request, chat, answer, reply)


async def _send(request: web.Request, chat: ChatRequest, answer: Answer, reply: Reply) -> web.StreamResponse:
    headers = {"x-ignored-params": ", ".join(chat.ignored)} if chat.ignored else {}
    if chat.stream:
        return await AnswerStream(answer, reply, request.app[SETTINGS].keepalive, headers).send(request)
    text = "".join([text async for text in answer.texts()])
    whole = reply.whole(text, answer.ending, answer.usage)
    return json_response(whole, headers={**headers, "Cache-Control": "no-store"})
