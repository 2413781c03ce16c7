"""The REST routes of AI Engine for guests, and WordPress' errors about them.

A route is appended to the page's `restUrl` as it is: that may end in `/wp-json` or in `index.php?rest_route=`.
"""

import re

from shared.plugins.lenient_json import read_object, text_at

START_SESSION = "/mwai/v1/start_session"
SUBMIT = "/mwai-ui/v1/chats/submit"
UPLOAD = "/mwai-ui/v1/files/upload"
NONCE_HEADER = "X-WP-Nonce"
JSON = "application/json"
_NONCE = re.compile(r"[0-9a-f]{10}")
_NONCE_ERRORS = frozenset({"rest_forbidden", "rest_cookie_invalid_nonce"})  # missing, or expired
_NO_ROUTE = "rest_no_route"


def is_nonce(text: str) -> bool:
    """Whether *text* has the form of a WordPress nonce."""
    return _NONCE.fullmatch(text) is not None


def error_code(body: bytes) -> str:
    """The code of a WordPress REST error, which is not translated; "" where there is none.

    The plugin's own errors have no code; with the same HTTP status they mean something else.
    """
    return text_at(read_object(body), "code")


def refuses_nonce(body: bytes) -> bool:
    """Whether the response is the error for an expired or missing nonce."""
    return error_code(body) in _NONCE_ERRORS


def lacks_route(status: int, body: bytes) -> bool:
    """Whether the response is the error for an unknown route: the plugin is off, or older."""
    return status == 404 and error_code(body) == _NO_ROUTE
