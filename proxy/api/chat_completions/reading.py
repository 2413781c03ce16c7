"""From the body of a request to what is asked."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from proxy.api.app_keys import CALLER, PICTURES
from proxy.api.chat_completions.request import ChatRequest, parse_chat
from proxy.server.bodies import read_body


async def read_chat(request: web.Request, to_fields: Callable[[bytes], Mapping[str, Any]]) -> ChatRequest:
    """The request, with the pictures that it names by address. Raises `ServiceError`."""
    chat = await read_body(request, lambda body: parse_chat(to_fields(body)))
    messages, images = await request.app[PICTURES].fetch(chat.ask.messages, chat.pictures)
    caller = request[CALLER]
    ask = replace(
        chat.ask, messages=messages, images=images, caller=caller.place(request.remote), allowed=caller.models
    )
    return replace(chat, ask=ask)
