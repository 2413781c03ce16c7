"""Browser sessions of the web page: a signed token in a cookie, and CSRF checks. Pure.

The token holds the id of its key and its expiry, nothing of the key itself. The signature covers the key's digest, so
that a session ends with its key, and with a change of the key's secret.
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
    """The content of a token. `holder`: the id of a key, or "master"; `expires_at`: Unix seconds."""

    holder: str
    expires_at: int
    seal: str


def sealing_key(store_secret: bytes) -> bytes:
    """Derive the key that signs sessions from the store's secret."""
    return hmac.digest(store_secret, _PURPOSE, sha256)


def issue(key: bytes, holder: str, proof: bytes, *, now: float) -> str:
    """Return a token for *holder*. *key*: of `sealing_key`; *proof*: the digest of the holder's API key."""
    expires_at = int(now) + LIFETIME
    return f"1.{holder}.{expires_at}.{_seal(key, holder, expires_at, proof)}"


def read(text: str) -> Session | None:
    """Parse a token, genuine or not; None where it has another form."""
    match = _TOKEN.fullmatch(text)
    return Session(match[1], int(match[2]), match[3]) if match else None


def is_genuine(key: bytes, session: Session, proof: bytes) -> bool:
    """Whether *session* was issued with this *key* and *proof*, compared in constant time."""
    return hmac.compare_digest(_seal(key, session.holder, session.expires_at, proof), session.seal)


def check_csrf(method: str, headers: Mapping[str, str], host: str) -> None:
    """Raise `ServiceError` (403) where a session cookie came with a request that the proxy's own page did not send.

    *host*: of the Host header. Requests with safe methods need no proof, but must not come from another origin.
    """
    is_reading = method in SAFE_METHODS
    if is_foreign(headers, host) if is_reading else not is_proven(headers, host):
        raise _csrf_failed()


def check_sign_in(headers: Mapping[str, str], host: str) -> None:
    """Raise `ServiceError` (403) where a page of another origin tries to sign its visitor in."""
    if is_foreign(headers, host):
        raise _csrf_failed()


def is_foreign(headers: Mapping[str, str], host: str) -> bool:
    """Whether a page of another origin than *host* (of the Host header) sent this, as far as the browser says."""
    return _same_origin(headers, host) is False


def is_proven(headers: Mapping[str, str], host: str) -> bool:
    """Whether the proxy's own page certainly sent this: a form of another page cannot send the header."""
    return headers.get(CSRF_HEADER) == "1" and _same_origin(headers, host) is True


def _csrf_failed() -> ServiceError:
    return ServiceError(
        403,
        f"A session works on the proxy's own page only, which sends '{CSRF_HEADER}: 1'; send a key instead.",
        type="permission_error",
        code="csrf_failed",
    )


def _same_origin(headers: Mapping[str, str], host: str) -> bool | None:
    """Whether the request comes from the origin *host*; None where the browser does not say.

    `Sec-Fetch-Site` goes first, since a reverse proxy may have changed the Host; browsers send it over TLS and
    loopback.
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
