"""`/v1/messages`: Anthropic's Messages API."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, REQUEST_ID
from proxy.api.messages.reply import MessageReply
from proxy.api.messages.request import parse_messages
from proxy.api.receiving import read_request, with_tools_mode
from proxy.api.rendering import json_response
from proxy.api.sending import send
from proxy.api.tools import ToolsMode
from proxy.chat.tokens import count_request_tokens
from proxy.server.bodies import read_body


async def create_message(request: web.Request) -> web.StreamResponse:
    """Answer, streamed or whole."""
    chat = await read_request(request, parse_messages)
    answer = await request.app[CHAT].answer(chat.ask, owner=request[CALLER].owner)
    reply = MessageReply(
        id=answer.message_id,
        model=answer.model,
        asked=lambda: answer.usage.prompt_tokens,
        request_id=request[REQUEST_ID],
        of_json=chat.ask.tool_config is not None and chat.ask.tool_config.output_format is not None,
    )
    return await send(request, [answer], reply, stream=chat.stream, has_pings=True)


async def count_message_tokens(request: web.Request) -> web.Response:
    """About as many tokens as a request would be; no site is asked."""

    def count(fields: Mapping[str, Any], tools: ToolsMode) -> int:
        return count_request_tokens(parse_messages(fields, tools, counts_only=True).ask)

    return json_response({"input_tokens": await read_body(request, with_tools_mode(request, count))})
