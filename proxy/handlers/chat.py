"""`/v1/chat/completions`."""

from aiohttp import web

from proxy.answer import Answer
from proxy.keys import CHAT, SETTINGS
from proxy.protocol.chat_reply import ChatReply
from proxy.protocol.chat_request import parse_chat, parse_json
from proxy.rendering import json_response
from proxy.streaming import AnswerStream


async def create_completion(request: web.Request) -> web.StreamResponse:
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
    headers = {"x-ignored-params": ", ".join(chat.ignored)} if chat.ignored else {}
    if chat.stream:
        return await AnswerStream(answer, reply, request.app[SETTINGS].keepalive, headers).send(request)
    return json_response(await _whole(answer, reply), headers={**headers, "Cache-Control": "no-store"})


async def _whole(answer: Answer, reply: ChatReply) -> dict[str, object]:
    text = "".join([text async for text in answer.texts()])
    return reply.whole(text, answer.ending, answer.usage)
