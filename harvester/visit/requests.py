"""Reading the requests that a page's own script sends to admin-ajax (PROTOCOL 3 to 5). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from shared.plugins.aipkit.nonce import FRONTEND_NONCE_ACTION

_AJAX_PATH = "/admin-ajax.php"
_ACTION_PREFIX = "aipkit_"
# Their status proves nothing of a nonce: the stream answers 200 whatever is wrong, and a nonce is given to anybody.
_UNCHECKED_ACTIONS = frozenset({"aipkit_frontend_chat_stream", FRONTEND_NONCE_ACTION})
_MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Observed:
    """What one request of the page told; "" and 0 where it did not say. *status* 0: no answer was seen."""

    ajax_url: str
    action: str
    nonce: str = ""
    bot_id: int = 0
    session_id: str = ""
    post_id: int = 0
    status: int = 0

    @property
    def proves_nonce(self) -> bool:
        """Whether the site took the nonce: it answers any other with 403."""
        return bool(self.nonce) and self.status == 200 and self.action not in _UNCHECKED_ACTIONS


def read_request(url: str, content_type: str, body: bytes | None, status: int) -> Observed | None:
    """What a request says, or None if it is none of the chat's."""
    try:
        parts = urlsplit(url)
        if not parts.path.endswith(_AJAX_PATH):
            return None
        fields = dict(parse_qsl(parts.query, max_num_fields=_MAX_FIELDS)) | _body_fields(content_type, body or b"")
    except ValueError:  # no address, or more fields than any chat sends
        return None
    if not fields.get("action", "").startswith(_ACTION_PREFIX):
        return None
    return Observed(
        ajax_url=urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")),
        action=fields["action"],
        nonce=fields.get("_ajax_nonce", ""),
        bot_id=_number(fields, "bot_id"),
        session_id=fields.get("session_id", ""),
        post_id=_number(fields, "post_id"),
        status=status,
    )


def _body_fields(content_type: str, body: bytes) -> dict[str, str]:
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=_MAX_FIELDS))
    if content_type.startswith("multipart/form-data"):
        return _multipart_fields(content_type, body)
    return {}


def _multipart_fields(content_type: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(b"Content-Type: " + content_type.encode("ascii", "replace") + b"\r\n\r\n" + body)
    fields = {}
    for part in message.walk():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(value, bytes):
            fields[name] = value.decode("utf-8", "replace")
    return fields


def _number(fields: Mapping[str, str], key: str) -> int:
    text = fields.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
