"""The plugin's routes for guests, and WordPress' own answers to those who may not use them.

A route is put behind the page's `restUrl` as it is: that may end in `/wp-json` or in `index.php?rest_route=`.
"""

import re

from shared.plugins.answers import read_object, text_at

START_SESSION = "/mwai/v1/start_session"
SUBMIT = "/mwai-ui/v1/chats/submit"
UPLOAD = "/mwai-ui/v1/files/upload"
NONCE_HEADER = "X-WP-Nonce"
JSON = "application/json"
_NONCE = re.compile(r"[0-9a-f]{10}")
_NO_NONCE = frozenset({"rest_forbidden", "rest_cookie_invalid_nonce"})  # none was sent, or a dead one
_NO_ROUTE = "rest_no_route"


def is_nonce(text: str) -> bool:
    """Whether *text* may be a nonce of WordPress."""
    return _NONCE.fullmatch(text) is not None


def error_code(body: bytes) -> str:
    """The code of an error of WordPress' own, which no translation changes; "" where it is none.

    The plugin's own refusals have none: of the same HTTP status, they mean something else.
    """
    return text_at(read_object(body), "code")


def refuses_nonce(body: bytes) -> bool:
    """Whether the answer says that the nonce is dead, or missing."""
    return error_code(body) in _NO_NONCE


def lacks_route(status: int, body: bytes) -> bool:
    """Whether the site has no such route: the plugin is off, or older."""
    return status == 404 and error_code(body) == _NO_ROUTE
