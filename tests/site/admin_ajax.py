"""admin-ajax.php: which action runs, and the answers of all but the stream (PROTOCOL 3, 4, 9 and 11)."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aiohttp import web

from tests.site import texts
from tests.site.challenge import challenge
from tests.site.chat_stream import chat_stream
from tests.site.checks import is_foreign
from tests.site.forms import BodyTooLarge, read_fields
from tests.site.message_cache import RefusedMessage, sanitize_key
from tests.site.texts import translated
from tests.site.wire import ajax_json, ajax_zero, html, nginx_error, nonce_json

if TYPE_CHECKING:
    from tests.site.server import SimulatedSite

Fields = Mapping[str, str]
_REASONS = {
    403: "Forbidden",
    405: "Not Allowed",
    406: "Not Acceptable",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
_CRITICAL = "<p>There has been a critical error on this website.</p>"


async def admin_ajax(site: "SimulatedSite", request: web.BaseRequest) -> web.StreamResponse:
    """Answer one request to admin-ajax.php."""
    try:
        query, form = await read_fields(request, site.behaviour)
    except BodyTooLarge:
        return nginx_error(request, 413, _REASONS[413])
    fields = query | form
    action = fields.get("action", "")
    site.record(request, action, fields)
    await asyncio.sleep(site.behaviour.ajax_delay)
    if (other := _intercepted(site, request, action, form)) is not None:
        return other
    if request.method == "OPTIONS":
        return web.Response(status=403 if is_foreign(request.headers.get("Origin"), site.origin) else 200)
    answer = await _run(site, request, action, form, fields)
    if isinstance(answer, web.Response) and isinstance(answer.body, bytes) and answer.content_type.endswith("json"):
        answer.body = site.behaviour.json_prefix.encode() + answer.body
    return answer


def _intercepted(site: "SimulatedSite", request: web.BaseRequest, action: str, form: Fields) -> web.Response | None:
    """The response of a server in front of WordPress, if any."""
    behaviour = site.behaviour
    is_in_front = behaviour.front_action in {"", action}
    if behaviour.challenge_ajax and is_in_front:
        return challenge(request, behaviour.challenge_kind)
    if behaviour.ajax_leads_to and is_in_front:
        return web.Response(status=301, headers={"Location": behaviour.ajax_leads_to})
    if any(word in form.get("message", "") for word in behaviour.firewall_words):
        if behaviour.firewall_kind:
            return challenge(request, behaviour.firewall_kind)
        return nginx_error(request, behaviour.firewall_status, _REASONS[behaviour.firewall_status])
    if not behaviour.has_plugin:
        return ajax_zero(request, action)
    status = _outage(site, action)
    return _broken(request, status) if status else None


async def _run(
    site: "SimulatedSite", request: web.BaseRequest, action: str, form: Fields, fields: Fields
) -> web.StreamResponse:
    match action:
        case "aipkit_frontend_chat_stream":
            return await chat_stream(site, request, fields)
        case "aipkit_cache_sse_message" if request.method == "POST":
            return _cache_message(site, request, form)
        case "aipkit_get_frontend_chat_nonce" if site.behaviour.nonce_action and site.behaviour.is_since("2.3.41"):
            return _nonce(site, request, fields)
        case "aipkit_get_conversation_history" | "aipkit_delete_single_conversation" if request.method == "POST":
            return _conversation(site, request, action, form)
        case _:
            return ajax_zero(request, action)


def _nonce(site: "SimulatedSite", request: web.BaseRequest, fields: Fields) -> web.Response:
    if fields.get("bot_id") and is_foreign(request.headers.get("Origin"), site.origin):
        return _error(site, request, 403, "cors_denied", texts.DOMAIN)
    return nonce_json(request, site.nonces.current(site.token_of(request)))


def _cache_message(site: "SimulatedSite", request: web.BaseRequest, form: Fields) -> web.Response:
    if form.get("bot_id") and is_foreign(request.headers.get("Origin"), site.origin):
        return _error(site, request, 403, "embed_not_available", texts.EMBED)
    if not site.nonces.accepts(form.get("_ajax_nonce", ""), site.token_of(request)):
        return _error(site, request, 403, "nonce_failure_cache_sse", texts.NONCE_POST)
    try:
        key = site.cache.store(form)
    except RefusedMessage as refusal:
        return _error(site, request, refusal.status, refusal.code, refusal.text)
    return ajax_json(request, {"success": True, "data": {"cache_key": key}})


def _conversation(site: "SimulatedSite", request: web.BaseRequest, action: str, form: Fields) -> web.Response:
    if not site.nonces.accepts(form.get("_ajax_nonce", ""), site.token_of(request)):
        return _error(site, request, 403, "nonce_failure", texts.NONCE_OTHER)
    bot_id, conversation = form.get("bot_id", ""), sanitize_key(form.get("conversation_uuid", ""))
    row = (int(bot_id) if bot_id.isdigit() else 0, form.get("session_id", ""), conversation)
    if action == "aipkit_delete_single_conversation":
        site.history.rows.pop(row, None)
        return ajax_json(request, {"success": True, "data": {"message": "Conversation deleted."}})
    return ajax_json(request, {"success": True, "data": {"history": site.history.shown(row)}})


def _error(site: "SimulatedSite", request: web.BaseRequest, status: int, code: str, text: str) -> web.Response:
    message = translated(text, site.behaviour.language)
    return ajax_json(request, {"success": False, "data": {"message": message, "code": code}}, status)


def _outage(site: "SimulatedSite", action: str) -> int:
    """The status to fail with now, or 0; counts down `ajax_status_times`."""
    behaviour = site.behaviour
    if not behaviour.ajax_status or behaviour.ajax_status_action not in {"", action}:
        return 0
    if behaviour.ajax_status_times == 0:
        return 0
    if behaviour.ajax_status_times > 0:
        behaviour.ajax_status_times -= 1
    return behaviour.ajax_status


def _broken(request: web.BaseRequest, status: int) -> web.Response:
    if status == 500:
        return html(request, _CRITICAL, status)
    response = nginx_error(request, status, _REASONS.get(status, "Error"))
    if status in {429, 503}:
        response.headers["Retry-After"] = "7"
    return response
