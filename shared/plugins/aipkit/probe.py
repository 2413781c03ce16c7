"""A question to step 1 that stores nothing: an empty message, with pictures that are none (PROTOCOL 4, 7 and 13).

The plugin looks at the nonce first. Then it refuses the pictures where it reads them all, as since 2.4.21, and before
that, where it looked for the first one alone, the empty message.
"""

from shared.plugins.answers import read_object, text_at
from shared.plugins.requests import PluginRequest, form_request

_NONCE_REFUSED = "nonce_failure_cache_sse"
_READS_PICTURES = "invalid_image_payload"
_SAW_NO_PICTURE = "empty_data_to_cache"


def probe_request(ajax_url: str, nonce: str) -> PluginRequest:
    """What is asked."""
    fields = {"action": "aipkit_cache_sse_message", "message": "", "image_inputs": "-", "_ajax_nonce": nonce}
    return form_request(ajax_url, fields)


def takes_nonce(body: bytes) -> bool | None:
    """Whether the answer shows that the site takes the nonce; None where it is not the plugin's."""
    answer = read_object(body)
    if "success" not in answer:
        return None
    return bool(answer["success"]) or _code(body) != _NONCE_REFUSED


def takes_several_pictures(body: bytes) -> bool | None:
    """Whether the answer shows that a message may have more pictures than one; None where it shows neither."""
    return {_READS_PICTURES: True, _SAW_NO_PICTURE: False}.get(_code(body))


def _code(body: bytes) -> str:
    data = read_object(body).get("data")
    return text_at(data, "code") if isinstance(data, dict) else ""
