"""Who may use the proxy: keys, Host names and browser origins, as plain decisions.

Without any key the proxy serves this machine alone: loopback Host names (so that a web page cannot reach it through a
name that it points here) and loopback origins. Once a key exists, the key decides.
"""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from proxy.protocol.errors import ServiceError


class Access:
    """The rules, for one set of keys and settings."""

    def __init__(self, *, key: str | None, cors_origins: Sequence[str] = ()) -> None:
        self._digest = _digest(key) if key else None
        self._origins = frozenset(origin.rstrip("/").lower() for origin in cors_origins)

    @property
    def needs_key(self) -> bool:
        """Whether a key is asked for."""
        return self._digest is not None

    def has_key(self, headers: Mapping[str, str]) -> bool:
        """Whether *headers* carry the right key (always true where none is needed). Takes constant time."""
        if self._digest is None:
            return True
        # Every candidate is compared, whichever matches.
        matches = [hmac.compare_digest(_digest(key), self._digest) for key in sent_keys(headers)]
        return any(matches)

    def check_host(self, host: str) -> None:
        """Refuse Host names other than loopback's where no key protects the proxy. Raises `ServiceError` (403)."""
        if self.needs_key or is_loopback_name(_host_name(host)):
            return
        raise ServiceError(
            403,
            "Without a key this proxy answers only to localhost; set FREEAICHAT_API_KEY to use it under other names.",
            type="permission_error",
            code="host_not_allowed",
        )

    def allows_origin(self, origin: str) -> bool:
        """Whether a browser page of *origin* may read answers."""
        if self.needs_key or "*" in self._origins or origin.lower() in self._origins:
            return True
        try:
            return is_loopback_name(urlsplit(origin).hostname or "")
        except ValueError:  # not an address at all
            return False

    def check_key(self, headers: Mapping[str, str]) -> None:
        """Raise `ServiceError` (401) unless the right key was sent."""
        if self.has_key(headers):
            return
        what = "Incorrect API key provided." if sent_keys(headers) else "You didn't provide an API key."
        raise ServiceError(
            401,
            f"{what} Send it as 'Authorization: Bearer KEY'; `freeaichat up` shows where it is kept.",
            code="invalid_api_key",
        )


def sent_keys(headers: Mapping[str, str]) -> list[str]:
    """Every key in *headers*: a bearer token in any case and spacing, a bare one, `x-api-key`, `api-key`."""
    found = []
    authorization = headers.get("Authorization", "").strip()
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        authorization = rest.strip()
    for key in (authorization, headers.get("x-api-key", "").strip(), headers.get("api-key", "").strip()):
        if key:
            found.append(key)
    return found


def _digest(key: str) -> bytes:
    """What is compared in place of the key. Headers may hold any bytes; those that are no UTF-8 count as they are."""
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def is_loopback_name(name: str) -> bool:
    """Whether *name* always means this machine."""
    name = name.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        name, bracket, _ = host[1:].partition("]")
        return name if bracket else ""
    return host.partition(":")[0]
