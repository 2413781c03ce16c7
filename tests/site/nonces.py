"""WordPress nonces (PROTOCOL 3): one value for all guests, valid in its own and the next half of the lifetime."""

import hashlib
import secrets
import time

from tests.site.behaviour import Behaviour

BOUND_COOKIE = "visit_token"  # with `cookie_bound_nonce`


def token_in(cookie_header: str) -> str:
    """The visitor's token in a Cookie header, or nothing."""
    pairs = (pair.strip().partition("=") for pair in cookie_header.split(";"))
    return next((value for name, _, value in pairs if name == BOUND_COOKIE), "")


class Nonces:
    """Makes and checks nonces. Turning the clock on by ticks makes earlier ones old."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._secret = secrets.token_hex(16)
        self._ticks_ahead = 0

    def rotate(self, *, keep_previous: bool) -> None:
        """Go one tick on (the present nonce stays valid as the previous one) or two (it is refused)."""
        self._ticks_ahead += 1 if keep_previous else 2

    def current(self, token: str = "", *, ticks_ago: int = 0) -> str:
        """The nonce of a session token (empty for guests), 10 hex characters."""
        half = self._behaviour.nonce_life / 2
        tick = int(time.time() // half) + self._ticks_ahead - ticks_ago
        return hashlib.sha256(f"{self._secret}|{tick}|{token}".encode()).hexdigest()[-12:-2]

    def accepts(self, nonce: str, token: str) -> bool:
        """Whether *nonce* is the current or the previous one for the session token."""
        if self._behaviour.cookie_bound_nonce and not token:
            return False
        return nonce in {self.current(token), self.current(token, ticks_ago=1)}
