"""`/v1/chat/completions`."""

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT
from proxy.api.chat_completions.reading import read_chat
from proxy.api.chat_completions.reply import ChatReply
from proxy.api.chat_completions.request import ignored_header
from proxy.api.counting import admit_turns
from proxy.api.sending import send
from proxy.server.json_body import parse_json


async def create_chat_completion(request: web.Request) -> web.StreamResponse:
    """Answer a chat request, streamed or whole."""
    chat = await read_chat(request, parse_json)
    await admit_turns(request, chat.choices)
    owner = request[CALLER].owner
    answers = [await request.app[CHAT].answer(chat.ask, owner=owner) for _ in range(chat.choices)]
    reply = ChatReply(
        id=answers[0].id,
        created=answers[0].created,
        model=answers[0].model,
        conversation_id=answers[0].conversation_id,
        include_usage=chat.include_usage,
        count=len(answers),
    )
    return await send(request, answers, reply, stream=chat.stream, headers=ignored_header(chat.ignored))
