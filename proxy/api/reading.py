"""Reading the body of a request to a model, in whichever API it is."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import web

from proxy.api.app_keys import CALLER, CHAT, PICTURES, SETTINGS
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.responses.request import ResponseRequest
from proxy.api.tools import ToolsMode
from proxy.server.bodies import parse_json, read_body

T = TypeVar("T")
ModelRequest = TypeVar("ModelRequest", ChatRequest, ResponseRequest)


async def read_request(
    request: web.Request, parse: Callable[[Mapping[str, Any], ToolsMode], ModelRequest]
) -> ModelRequest:
    """The body as *parse*, a pure function, reads it, with its caller, and with pictures fetched from their addresses.

    Raises `ServiceError`, and what *parse* raises.
    """
    parsed = await read_body(request, with_tools_mode(request, parse))
    ask, caller = parsed.ask, request[CALLER]
    if parsed.pictures:
        messages, images = await request.app[PICTURES].fetch(ask.messages, parsed.pictures)
        ask = replace(ask, messages=messages, media=images)
    parsed.ask = replace(ask, caller=caller.queue_key(request.remote), allowed=caller.models)
    return parsed


def with_tools_mode(request: web.Request, parse: Callable[[Mapping[str, Any], ToolsMode], T]) -> Callable[[bytes], T]:
    """A function for `read_body` that calls *parse* with the fields of the body, and with its tools mode."""

    def read(body: bytes) -> T:
        fields = parse_json(body)
        return parse(fields, _tools_mode(request, fields))

    return read


def _tools_mode(request: web.Request, body: Mapping[str, Any]) -> ToolsMode:
    """The mode of the settings, or "native" where the upstream of the model that *body* names has tools itself."""
    mode: ToolsMode = request.app[SETTINGS].tools
    if mode == "emulate" and not body.get("tools"):  # most requests: without tools the two are the same
        return mode
    name = body.get("model")
    if isinstance(name, str) and request.app[CHAT].has_tools(name.strip(), request[CALLER].models):
        return "native"
    return mode
