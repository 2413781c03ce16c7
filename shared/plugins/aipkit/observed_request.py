"""Parsing of the requests that the plugin's script sends to admin-ajax (PROTOCOL 3 to 5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.plugins.aipkit.nonce import FRONTEND_NONCE_ACTION
from shared.plugins.lenient_json import number_at

AJAX_FILE = "/admin-ajax.php"
AJAX_PATH = f"/wp-admin{AJAX_FILE}"  # below the root of the site
_ACTION_PREFIX = "aipkit_"
# Their status does not show whether a nonce is valid: the stream always answers 200, and anybody gets a nonce.
_UNCHECKED_ACTIONS = frozenset({"aipkit_frontend_chat_stream", FRONTEND_NONCE_ACTION})


@dataclass(frozen=True, slots=True)
class ObservedRequest:
    """The fields of one request of the page; "" and 0 where missing. *status* 0: no response was seen."""

    ajax_url: str
    action: str
    nonce: str = ""
    bot_id: int = 0
    session_id: str = ""
    post_id: int = 0
    status: int = 0

    @property
    def proves_nonce(self) -> bool:
        """Whether the site accepted the nonce: it answers any other with 403."""
        return bool(self.nonce) and self.status == 200 and self.action not in _UNCHECKED_ACTIONS


def read_request(address: str, fields: Mapping[str, str], status: int) -> ObservedRequest | None:
    """Parse a request with these form *fields*; None if it is not the chat's. *address*: URL without query."""
    action = fields.get("action", "")
    if not address.endswith(AJAX_FILE) or not action.startswith(_ACTION_PREFIX):
        return None
    return ObservedRequest(
        ajax_url=address,
        action=action,
        nonce=fields.get("_ajax_nonce", ""),
        bot_id=number_at(fields, "bot_id"),
        session_id=fields.get("session_id", ""),
        post_id=number_at(fields, "post_id"),
        status=status,
    )
