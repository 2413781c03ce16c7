"""Receiving requests to models: they are admitted or refused, read, and recorded once, however they end.

It is the same for all APIs. `sending` is the other half.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.api.app_keys import CALLER, CHAT, LIMITS, PICTURES, RATE_HEADERS, SETTINGS, TURN, USAGE
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.responses.request import ResponseRequest
from proxy.api.tools import ToolsMode
from proxy.chat.errors import ServiceError
from proxy.server.bodies import parse_json, read_body
from proxy.server.errors import internal_error
from proxy.server.in_flight import IN_FLIGHT, stopping_error
from proxy.usage.recorder import RequestRecord

T = TypeVar("T")
ModelRequest = TypeVar("ModelRequest", ChatRequest, ResponseRequest)


def admitted(handler: Handler) -> Handler:
    """*handler*, for requests within their caller's limits; what became of each is recorded."""

    @wraps(handler)
    async def admit_and_record(request: web.Request) -> web.StreamResponse:
        record = request[TURN] = RequestRecord(request[CALLER])
        try:
            await _admit(request)
            return await handler(request)
        except ServiceError as error:
            record.error = error
            raise
        except asyncio.CancelledError:
            if request.app[IN_FLIGHT].is_over:
                record.error = stopping_error()
            raise
        except Exception:
            record.error = internal_error()
            raise
        finally:
            record.close()
            request.app[USAGE].record(record)

    return admit_and_record


async def admit_turns(request: web.Request, count: int) -> None:
    """Admit a request as *count* turns of the site; one was admitted already. Raises `ServiceError` (429)."""
    await _admit(request, count - 1, counted_before=1)


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
        fields = parse_fields(request, body)
        return parse(fields, _tools_mode(request, fields))

    return read


def parse_fields(request: web.Request, body: bytes) -> dict[str, Any]:
    """The fields of *body*; the model is the one that the path names, if any does. Raises `ServiceError` (400)."""
    fields = parse_json(body)
    if deployment := request.match_info.get("deployment"):  # as `/deployments/NAME`
        fields["model"] = deployment.strip("/").partition("/")[2].lstrip("/")
    return fields


def _tools_mode(request: web.Request, body: Mapping[str, Any]) -> ToolsMode:
    """The mode of the settings, or "native" where the upstream of the model that *body* names has tools itself."""
    mode: ToolsMode = request.app[SETTINGS].tools
    if mode == "emulate" and not body.get("tools"):  # most requests: without tools the two are the same
        return mode
    name = body.get("model")
    if isinstance(name, str) and request.app[CHAT].has_tools(name.strip(), request[CALLER].models):
        return "native"
    return mode


async def _admit(request: web.Request, count: int = 1, *, counted_before: int = 0) -> None:
    """As `RateLimiter.admit`, with the headers kept for the response. Raises `ServiceError` (429) where refused."""
    if (key := request[CALLER].limited_key) is not None:
        admission = await request.app[LIMITS].admit(key, count, counted_before=counted_before)
        request[RATE_HEADERS] = admission.headers
        admission.check()
