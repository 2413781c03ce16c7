"""A probe of step 1 that stores nothing: an empty message with invalid images (PROTOCOL 4, 7 and 13).

The plugin checks the nonce first. Since 2.4.21, where it reads all images, it refuses these next; before that, where it
read only the first, it refuses the empty message.
"""

from shared.plugins.lenient_json import read_object, text_at
from shared.plugins.requests import PluginRequest, form_request

_NONCE_REFUSED = "nonce_failure_cache_sse"
_READS_PICTURES = "invalid_image_payload"
_SAW_NO_PICTURE = "empty_data_to_cache"


def probe_request(ajax_url: str, nonce: str) -> PluginRequest:
    """The request."""
    fields = {"action": "aipkit_cache_sse_message", "message": "", "image_inputs": "-", "_ajax_nonce": nonce}
    return form_request(ajax_url, fields)


def accepts_nonce(body: bytes) -> bool | None:
    """Whether the response shows that the nonce is accepted; None where it is not the plugin's."""
    fields = read_object(body)
    if "success" not in fields:
        return None
    return bool(fields["success"]) or _code(body) != _NONCE_REFUSED


def accepts_several_images(body: bytes) -> bool | None:
    """Whether the response shows that a message may have several images; None where it shows neither."""
    return {_READS_PICTURES: True, _SAW_NO_PICTURE: False}.get(_code(body))


def _code(body: bytes) -> str:
    data = read_object(body).get("data")
    return text_at(data, "code") if isinstance(data, dict) else ""
