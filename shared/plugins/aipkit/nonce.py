"""The guest nonce action: anybody may ask for the current nonce (PROTOCOL 3)."""

from shared.plugins.answers import bare, read_object, text_at
from shared.plugins.requests import PluginRequest, form_request

FRONTEND_NONCE_ACTION = "aipkit_get_frontend_chat_nonce"


def nonce_request(ajax_url: str) -> PluginRequest:
    """What is asked. Without `bot_id` no cross-origin check is made, and the nonce is the same for all bots."""
    return form_request(ajax_url, {"action": FRONTEND_NONCE_ACTION})


def read_nonce(status: int, body: bytes) -> str | None:
    """The nonce in the site's answer, or None where it gave none."""
    if status != 200:
        return None
    answer = read_object(body)
    data = answer.get("data")
    return text_at(data, "nonce") or None if answer.get("success") and isinstance(data, dict) else None


def is_by_wordpress(status: int, body: bytes) -> bool:
    """Whether an answer of admin-ajax is the plugin's or WordPress' own, and no page of a server in front."""
    return "success" in read_object(body) or lacks_action(status, body)


def lacks_action(status: int, body: bytes) -> bool:
    """Whether the site knows no such action: before version 2.3.41 nobody may ask for a nonce (PROTOCOL 13)."""
    return status == 400 and bare(body) == b"0"
