"""`start_session`, which gives anybody the current nonce without needing one (since version 2.4.4)."""

from dataclasses import dataclass

import orjson

from shared.plugins.ai_engine.routes import (
    JSON,
    NONCE_HEADER,
    START_SESSION,
    SUBMIT,
    error_code,
    is_nonce,
    lacks_route,
    refuses_nonce,
)
from shared.plugins.lenient_json import read_object, text_at
from shared.plugins.requests import PluginRequest

_NO_ID = "N/A"  # the plugin's own words where it has none; to have none at all tells a site that starts no sessions


@dataclass(frozen=True, slots=True)
class Session:
    """A guest's session."""

    nonce: str
    session_id: str


def session_request(rest_url: str) -> PluginRequest:
    """The request. It sends no nonce: an expired one would be refused here too."""
    return PluginRequest(f"{rest_url}{START_SESSION}", b"", {"Content-Type": JSON})


def read_session(status: int, body: bytes) -> Session | None:
    """The session in the response; None where there is none."""
    fields = read_object(body)
    nonce = text_at(fields, "restNonce")
    if status != 200 or not fields.get("success") or not is_nonce(nonce):
        return None
    return Session(nonce, text_at(fields, "sessionId") or _NO_ID)


def probe_request(rest_url: str, nonce: str, *, key: str = "", custom_key: str = "") -> PluginRequest:
    """An empty message, which stores and sends nothing: the nonce is checked first."""
    body = orjson.dumps({"botId": key or None, "customId": custom_key or None, "newMessage": ""})
    return PluginRequest(f"{rest_url}{SUBMIT}", body, {"Content-Type": JSON, NONCE_HEADER: nonce})


def accepts_nonce(body: bytes) -> bool | None:
    """Whether the response to `probe_request` shows that the nonce is accepted; None where it is not WordPress' own, or
    the plugin is off."""
    if refuses_nonce(body):
        return False
    if lacks_route(404, body):
        return None
    return True if "success" in read_object(body) or error_code(body) else None
