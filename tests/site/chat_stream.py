"""Step 2 (PROTOCOL 5): the event stream of one turn."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from tests.site.behaviour import Behaviour
from tests.site.calls import Prepared, keep_answer, new_message_id, prepare
from tests.site.checks import Admitted, RefusedStream, admit
from tests.site.dialects import Dialect, dialect_of
from tests.site.model import Script, respond
from tests.site.texts import translated
from tests.site.upstream import error_id, relay, within_time
from tests.site.wire import PADDING, delta, event, nginx_error, stream_response

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

DONE = event("done", {"finished": True})


async def chat_stream(site: "SimulatedSite", request: web.BaseRequest, fields: Mapping[str, str]) -> web.StreamResponse:
    """Answer `aipkit_frontend_chat_stream`. A client that goes away ends the turn at once."""
    if site.behaviour.gateway_status:
        _ = prepare(site, _admit(site, request, fields))
        return nginx_error(request, site.behaviour.gateway_status, "Gateway Failure")
    response = stream_response(request)
    if site.behaviour.compresses:
        response.enable_compression(web.ContentCoding.gzip)
    # A client that is gone is counted there as an aborted stream.
    with site.streams.counted() as stream, contextlib.suppress(ConnectionResetError):
        await response.prepare(request)
        if site.behaviour.is_since("2.3.93"):
            await response.write(PADDING)
        if site.behaviour.stray_delta:
            await response.write(delta(site.behaviour.stray_delta))
        try:
            turn = _admit(site, request, fields)
        except RefusedStream as refusal:
            await response.write(_refusal(site, refusal))
        else:
            await _answer(site, request, response, turn)
        await response.write_eof()
        stream.finished = True
    return response


def _admit(site: "SimulatedSite", request: web.BaseRequest, fields: Mapping[str, str]) -> Admitted:
    return admit(
        site,
        fields,
        token=site.token_of(request),
        origin=request.headers.get("Origin"),
        ip=request.remote or "",
    )


async def _answer(
    site: "SimulatedSite", request: web.BaseRequest, response: web.StreamResponse, turn: Admitted
) -> None:
    prepared = prepare(site, turn)
    if not turn.bot.has_key:
        await response.write(_refusal(site, RefusedStream(f"API key missing for {turn.bot.provider}.")))
        return
    if search_error := site.behaviour.search_error:
        await response.write(_refusal(site, RefusedStream(search_error)))
        return
    if site.behaviour.trigger_form:
        await response.write(event("display_form_event", {"form_definition": {"title": "Who are you?"}}) + DONE)
        return
    if reply := site.behaviour.trigger_reply:
        await response.write(event("message_start", {"message_id": new_message_id()}) + delta(reply))
    message_id = new_message_id()
    await response.write(event("message_start", {"message_id": message_id}))
    dialect = dialect_of(turn.bot, web_search=turn.web_search, plugin=site.behaviour)
    answer = await _relay(site, request, response, prepared, dialect)
    if answer is not None:
        keep_answer(site, turn, prepared.call, dialect, answer=answer, message_id=message_id)


async def _relay(
    site: "SimulatedSite",
    request: web.BaseRequest,
    response: web.StreamResponse,
    prepared: Prepared,
    dialect: Dialect,
) -> str | None:
    """Send the model's turn as it comes; returns the whole text of a turn that reached `done`, else None."""
    behaviour = site.behaviour
    steps = relay(_script(prepared, behaviour), dialect, behaviour, bad_id=prepared.unknown_id)
    pieces: list[str] = []
    for step in within_time(steps, behaviour):
        await asyncio.sleep(step.wait)
        if step.text is not None:
            if len(pieces) == behaviour.cut_connection_after:
                _break(request)
                return None
            pieces.append(step.text)
        if step.is_done:
            if not behaviour.drop_done:
                await response.write(step.chunk)
            return "".join(pieces)
        if step.chunk:
            await response.write(step.chunk)
    return None


def _script(prepared: Prepared, behaviour: Behaviour) -> Script:
    call = prepared.call
    if prepared.unknown_id:
        is_google = call.provider == "Google"
        return Script((), "unknown_interaction_id" if is_google else "unknown_previous_id")
    return respond(
        call.context,
        model=call.model,
        images=call.images,
        web_search=call.web_search,
        scripts=behaviour.scripts,
        willing=behaviour.willing,
    )


def _break(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _refusal(site: "SimulatedSite", refusal: RefusedStream) -> bytes:
    text = translated(refusal.text, site.behaviour.language)
    data: dict[str, object] = {"error": text}
    if refusal.is_quota:
        action = {"label": "Upgrade", "url": f"{site.origin}/upgrade", "variant": "primary"}
        data["quota_notice"] = {"type": "quota_notice", "message": text, "actions": [action]}
    return event("error", data, event_id=error_id()) + DONE
