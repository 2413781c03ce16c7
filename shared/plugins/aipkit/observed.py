"""Reading the requests that the plugin's own script sends to admin-ajax (PROTOCOL 3 to 5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.plugins.aipkit.nonce import FRONTEND_NONCE_ACTION
from shared.plugins.answers import number_at

AJAX_FILE = "/admin-ajax.php"
AJAX_PATH = f"/wp-admin{AJAX_FILE}"  # below the root of the site
_ACTION_PREFIX = "aipkit_"
# Their status proves nothing of a nonce: the stream answers 200 whatever is wrong, and a nonce is given to anybody.
_UNCHECKED_ACTIONS = frozenset({"aipkit_frontend_chat_stream", FRONTEND_NONCE_ACTION})


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


def read_request(address: str, fields: Mapping[str, str], status: int) -> Observed | None:
    """What a request with these *fields* says, or None if it is none of the chat's. *address*: without the query."""
    action = fields.get("action", "")
    if not address.endswith(AJAX_FILE) or not action.startswith(_ACTION_PREFIX):
        return None
    return Observed(
        ajax_url=address,
        action=action,
        nonce=fields.get("_ajax_nonce", ""),
        bot_id=number_at(fields, "bot_id"),
        session_id=fields.get("session_id", ""),
        post_id=number_at(fields, "post_id"),
        status=status,
    )
