"""`start_session`: anybody may ask for the nonce of now, without any (versions since 2.4.4)."""

from dataclasses import dataclass

import orjson

from shared.plugins.ai_engine.routes import error_code, is_nonce, lacks_route, refuses_nonce
from shared.plugins.answers import read_object, text_at


@dataclass(frozen=True, slots=True)
class Session:
    """What a guest is given."""

    nonce: str
    session_id: str


def read_session(status: int, body: bytes) -> Session | None:
    """What the site hands out, or None where it handed out nothing."""
    answer = read_object(body)
    nonce = text_at(answer, "restNonce")
    if status != 200 or not answer.get("success") or not is_nonce(nonce):
        return None
    return Session(nonce, text_at(answer, "sessionId"))


def probe_body(key: str, custom_key: str) -> bytes:
    """An empty message, which stores and asks nothing: the nonce is looked at first."""
    return orjson.dumps({"botId": key or None, "customId": custom_key or None, "newMessage": ""})


def takes_nonce(body: bytes) -> bool | None:
    """Whether the answer to `probe_body` shows that the site takes the nonce; None where it is not WordPress', or the
    plugin is off."""
    if refuses_nonce(body):
        return False
    if lacks_route(404, body):
        return None
    return True if "success" in read_object(body) or error_code(body) else None
