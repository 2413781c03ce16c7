"""The browser session of the web page, as plain values: a signed text in a cookie, and when a browser may use it.

The text names the key it was made with and when it ends; nothing of the key itself is in it. Its seal takes in what
that key is checked by, so that a session dies with its key, and with a change of the key's secret.
"""

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from proxy.chat.errors import ServiceError

COOKIE = "freeaichat_session"
LIFETIME = 7 * 86400  # seconds
CSRF_HEADER = "x-freeaichat-csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PURPOSE = b"browser sessions"
_TOKEN = re.compile(r"1\.([a-z0-9_]{1,64})\.([0-9]{1,12})\.([0-9a-f]{64})")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Session(NamedTuple):
    """What a cookie says. `holder`: the id of a key, or "master"; `expires_at`: Unix seconds."""

    holder: str
    expires_at: int
    seal: str


def sealing_key(store_secret: bytes) -> bytes:
    """What sessions are sealed with where *store_secret* is the store's."""
    return hmac.digest(store_secret, _PURPOSE, sha256)


def issue(key: bytes, holder: str, proof: bytes, *, now: float) -> str:
    """The cookie's text for *holder*. *key*: of `sealing_key`; *proof*: what the holder's own key is checked by."""
    expires_at = int(now) + LIFETIME
    return f"1.{holder}.{expires_at}.{_seal(key, holder, expires_at, proof)}"


def read(text: str) -> Session | None:
    """What *text* says, genuine or not; None where no session looks like it."""
    found = _TOKEN.fullmatch(text)
    return Session(found[1], int(found[2]), found[3]) if found else None


def is_genuine(key: bytes, session: Session, proof: bytes) -> bool:
    """Whether *session* was issued with this *key* and *proof*; takes the same time either way."""
    return hmac.compare_digest(_seal(key, session.holder, session.expires_at, proof), session.seal)


def check_use(method: str, headers: Mapping[str, str], host: str) -> None:
    """Raise `ServiceError` (403) where a session cookie came with a request that our own page did not send.

    *host*: of the Host header. What only reads needs no proof, but must not come from a page of another origin.
    """
    is_reading = method in SAFE_METHODS
    if is_foreign(headers, host) if is_reading else not is_proven(headers, host):
        raise _not_from_our_page()


def check_sign_in(headers: Mapping[str, str], host: str) -> None:
    """Raise `ServiceError` (403) where a page of another origin would sign its visitor in."""
    if is_foreign(headers, host):
        raise _not_from_our_page()


def is_foreign(headers: Mapping[str, str], host: str) -> bool:
    """Whether a page of another origin than *host* (of the Host header) sends this, as far as its browser tells."""
    return _same_origin(headers, host) is False


def is_proven(headers: Mapping[str, str], host: str) -> bool:
    """Whether a page of our own sends this for certain: a form of another one can send no such header."""
    return headers.get(CSRF_HEADER) == "1" and _same_origin(headers, host) is True


def _not_from_our_page() -> ServiceError:
    return ServiceError(
        403,
        f"A session works on the proxy's own page only, which sends '{CSRF_HEADER}: 1'; send a key instead.",
        type="permission_error",
        code="csrf_failed",
    )


def _same_origin(headers: Mapping[str, str], host: str) -> bool | None:
    """Whether both are of one origin; None where the browser does not tell.

    `Sec-Fetch-Site` knows best, for a reverse proxy may have changed the Host; browsers send it over TLS and loopback.
    """
    site = headers.get("Sec-Fetch-Site", "")
    if site not in {"", "none"}:
        return site == "same-origin"
    origin = headers.get("Origin")
    if origin is None:
        return None
    scheme, _, name = origin.lower().partition("://")
    return bool(name) and name == host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _seal(key: bytes, holder: str, expires_at: int, proof: bytes) -> str:
    return hmac.digest(key, b"\0".join((holder.encode(), str(expires_at).encode(), proof)), sha256).hex()
