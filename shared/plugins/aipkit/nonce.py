"""The guest nonce action, which gives anybody the current nonce (PROTOCOL 3)."""

from shared.plugins.lenient_json import bare, read_object, text_at
from shared.plugins.requests import PluginRequest, form_request

FRONTEND_NONCE_ACTION = "aipkit_get_frontend_chat_nonce"


def nonce_request(ajax_url: str) -> PluginRequest:
    """The request. Without `bot_id` there is no cross-origin check, and the nonce is the same for all bots."""
    return form_request(ajax_url, {"action": FRONTEND_NONCE_ACTION})


def read_nonce(status: int, body: bytes) -> str | None:
    """The nonce in the response; None where there is none."""
    if status != 200:
        return None
    fields = read_object(body)
    data = fields.get("data")
    return text_at(data, "nonce") or None if fields.get("success") and isinstance(data, dict) else None


def is_by_wordpress(status: int, body: bytes) -> bool:
    """Whether a response of admin-ajax comes from the plugin or WordPress, and not from a server in front."""
    return "success" in read_object(body) or lacks_action(status, body)


def lacks_action(status: int, body: bytes) -> bool:
    """Whether the response is that for an unknown action: version 2.3.41 introduced this one (PROTOCOL 13)."""
    return status == 400 and bare(body) == b"0"
