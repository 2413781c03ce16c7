"""The legacy `/v1/completions`."""

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT
from proxy.api.chat_completions.request import parse_chat
from proxy.api.completions.shapes import CompletionReply, bare, to_chat_body
from proxy.api.parameters import named_as
from proxy.api.receiving import read_request
from proxy.api.sending import send


async def create_completion(request: web.Request) -> web.StreamResponse:
    """Answer a bare prompt, streamed or whole."""
    with named_as(messages="prompt"):
        chat = await read_request(request, lambda fields, tools: parse_chat(to_chat_body(fields), tools))
        answer = await request.app[CHAT].answer(bare(chat.ask), owner=request[CALLER].owner)
        name = answer.id.replace("chatcmpl-", "cmpl-")
        reply = CompletionReply(chat, id=name, created=answer.created, model=answer.model)
        return await send(request, [answer], reply, stream=chat.stream)
