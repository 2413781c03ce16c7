"""`start_session`: anybody may ask for the nonce of now, without any (versions since 2.4.4)."""

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
from shared.plugins.answers import read_object, text_at
from shared.plugins.requests import PluginRequest

_NO_ID = "N/A"  # the plugin's own words where it has none; to have none at all tells a site that starts no sessions


@dataclass(frozen=True, slots=True)
class Session:
    """What a guest is given."""

    nonce: str
    session_id: str


def session_request(rest_url: str) -> PluginRequest:
    """What is asked. Not with the old nonce: a dead one would be refused here too."""
    return PluginRequest(f"{rest_url}{START_SESSION}", b"", {"Content-Type": JSON})


def read_session(status: int, body: bytes) -> Session | None:
    """What the site hands out, or None where it handed out nothing."""
    answer = read_object(body)
    nonce = text_at(answer, "restNonce")
    if status != 200 or not answer.get("success") or not is_nonce(nonce):
        return None
    return Session(nonce, text_at(answer, "sessionId") or _NO_ID)


def probe_request(rest_url: str, nonce: str, *, key: str = "", custom_key: str = "") -> PluginRequest:
    """An empty message, which stores and asks nothing: the nonce is looked at first."""
    body = orjson.dumps({"botId": key or None, "customId": custom_key or None, "newMessage": ""})
    return PluginRequest(f"{rest_url}{SUBMIT}", body, {"Content-Type": JSON, NONCE_HEADER: nonce})


def takes_nonce(body: bytes) -> bool | None:
    """Whether the answer to `probe_request` shows that the site takes the nonce; None where that is not WordPress' own,
    or the plugin is off."""
    if refuses_nonce(body):
        return False
    if lacks_route(404, body):
        return None
    return True if "success" in read_object(body) or error_code(body) else None
