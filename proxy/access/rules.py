"""Access control: API keys, Host names and browser origins.

Without any key the proxy serves only this machine: loopback Host names (so that a web page cannot reach it by DNS
rebinding), loopback origins and those of desktop apps, and nothing that a reverse proxy forwards. Once a key exists,
the key decides.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from proxy.access import sessions
from proxy.access.keyring import Keyring
from proxy.access.wrong_keys import WrongKeyThrottle
from proxy.chat.errors import ServiceError
from shared.admin.keys import ApiKey
from shared.store import StoreError

STALE_RETRY_SECONDS = 5.0
DOCKER_HOST = "host.docker.internal"  # how containers of Docker Desktop reach this machine's loopback; no DNS has it
# The schemes of desktop apps' origins, which no web page has.
APP_SCHEMES = frozenset({"app", "file", "tauri", "vscode-file", "vscode-webview"})
FORWARDED = (  # headers that reverse proxies add
    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server"),
    *("X-Real-IP", "CF-Connecting-IP", "True-Client-IP"),
)


class WrongKey(ServiceError):
    """A key was sent that does not exist: a guess."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. `id`: that of the key, "master" or "open" (no key needed); `name`: for logs."""

    id: str
    name: str
    is_admin: bool = False
    key: ApiKey | None = None
    owner: str = ""  # of conversations: a key sees only its own; "" sees all
    models: frozenset[str] | None = None  # names of the allowed ones; None: all

    @property
    def limited_key(self) -> ApiKey | None:
        """The key, if its requests are limited."""
        return self.key if self.key is not None and self.key.is_limited else None

    def queue_key(self, address: str | None) -> str:
        """The name under which requests of this caller are queued: the key's id, else the client's *address*."""
        return address or "" if self.key is None else self.key.id


MASTER = Caller("master", "master", is_admin=True)
OPEN = Caller("open", "open", is_admin=True)


class AccessRules:
    """The access rules for one set of keys and settings."""

    def __init__(self, keyring: Keyring, *, key: str | None, cors_origins: Sequence[str] = ()) -> None:
        """*key*: the master key. *cors_origins*: further allowed origins, or patterns."""
        self._digest = _digest(key) if key else None
        self.has_master = bool(key)  # one is configured, so that none needs to be generated
        self._origins = re.compile("|".join(map(_origin_pattern, cors_origins)) or r"(?!)")
        self._keyring = keyring
        self.wrong_keys = WrongKeyThrottle()

    @property
    def needs_key(self) -> bool:
        """Whether requests need a key."""
        return self.has_master or self._keyring.needs_key

    def identify(self, headers: Mapping[str, str], *, now: float) -> Caller:
        """The caller that sent *headers* at *now* (Unix seconds). Raises `ServiceError`: 401, or 503 where keys are
        stale."""
        if not self.needs_key:
            return OPEN
        sent, master = sent_keys(headers), self._master
        # Every candidate is compared, whichever matches.
        if master is not None and True in [hmac.compare_digest(_digest(secret), master) for secret in sent]:
            return MASTER
        for secret in sent:
            if key := self._keyring.find(secret):
                return self._caller_of(key, now)
        if self._keyring.needs_key and self._keyring.is_stale:
            raise _unverifiable()
        how = "Send it as 'Authorization: Bearer KEY'; `freeaichat up` shows where it is kept."
        if sent:
            raise WrongKey(401, f"Incorrect API key provided. {how}", code="invalid_api_key")
        raise _unauthorized(f"You didn't provide an API key. {how}")

    async def sign_in(self, secret: str, *, now: float) -> str | None:
        """Return a session token for the holder of the key *secret*; None where no key is needed.

        Raises `ServiceError`: 401 for a wrong key, 503 where keys are stale.
        """
        caller = self.identify({"x-api-key": secret}, now=now)
        proof = (self._master if caller is MASTER else None) if caller.key is None else caller.key.digest.encode()
        return None if proof is None else sessions.issue(await self._sealing_key(), caller.id, proof, now=now)

    async def holder(self, token: str, *, now: float) -> Caller:
        """The caller with the session *token*. Raises `ServiceError`: 401 where it is invalid or expired, 503 as
        `identify`."""
        session = sessions.read(token)
        if session is None or now >= session.expires_at:
            raise _session_ended()
        sealing_key = await self._sealing_key()
        if session.holder == MASTER.id:
            if (master := self._master) is not None and sessions.is_genuine(sealing_key, session, master):
                return MASTER
            raise _session_ended()
        if self._keyring.is_stale:
            raise _unverifiable()
        key = self._keyring.get(session.holder)
        if key is None or not sessions.is_genuine(sealing_key, session, key.digest.encode()):
            raise _session_ended()
        return self._caller_of(key, now)

    def check_local(self, host: str, headers: Mapping[str, str]) -> None:
        """Without keys, refuse requests that do not come from this machine. Raises `ServiceError` (403).

        Those are requests with other Host names than loopback's, and those that a reverse proxy forwards.
        """
        if self.needs_key:
            return
        if not _is_local_host(host):
            raise ServiceError(
                403,
                "Without a key this proxy answers only to localhost; "
                "set FREEAICHAT_API_KEY to use it under other names.",
                type="permission_error",
                code="host_not_allowed",
            )
        for name in FORWARDED:
            if name in headers:
                raise _not_direct(f"the request has the header {name}")

    def check_origin(self, origin: str) -> None:
        """Refuse browser pages of origins that are not allowed. Raises `ServiceError` (403)."""
        if not self.allows_origin(origin):
            raise _origin_refused()

    def allows_origin(self, origin: str) -> bool:
        """Whether browser pages of *origin* are allowed."""
        if self.needs_key or self._origins.fullmatch(origin.lower()) or _is_loopback_origin(origin):
            return True
        scheme, separator, _ = origin.lower().partition("://")
        return bool(separator) and scheme in APP_SCHEMES

    async def _sealing_key(self) -> bytes:
        try:
            return await self._keyring.sealing_key()
        except StoreError as error:
            raise _unverifiable() from error

    @property
    def _master(self) -> bytes | None:
        """Digest of the configured master key, else of the stored one; None if there is none."""
        if self._digest is not None:
            return self._digest
        return _digest(self._keyring.master) if self._keyring.master else None

    def _caller_of(self, key: ApiKey, now: float) -> Caller:
        if problem := key.problem(now):
            raise _unauthorized(f"This API key {problem}.")
        if self._keyring.is_stale:
            raise _unverifiable()
        models = None if key.models is None else frozenset(key.models)
        return Caller(key.id, key.name, key=key, owner=key.id, models=models)


def check_admin(caller: Caller, origin: str | None = None, *, is_old_http: bool = False) -> None:
    """Raise `ServiceError` (403) unless *caller* may administrate, from a browser page of *origin* if there is one.

    Without a key, pages of further origins (FREEAICHAT_CORS_ORIGINS) may chat, but not make keys. Nor may HTTP/1.0
    clients (*is_old_http*): nginx uses it by default and may forward others without a header.
    """
    if caller is OPEN and origin is not None and not _is_loopback_origin(origin):
        raise _origin_refused()
    if caller is OPEN and is_old_http:
        raise _not_direct("the request is HTTP/1.0, which nginx speaks to what is behind it")
    if not caller.is_admin:
        raise ServiceError(
            403,
            "This takes the master key, not one that was made with it.",
            type="permission_error",
            code="admin_required",
        )


def _origin_refused() -> ServiceError:
    """The error for a browser page of an origin that is not allowed."""
    return ServiceError(
        403,
        "Pages of this origin may not use the proxy; FREEAICHAT_CORS_ORIGINS names further ones.",
        type="permission_error",
        code="origin_not_allowed",
    )


def _not_direct(sign: str) -> ServiceError:
    return ServiceError(
        403,
        f"Without a key this proxy serves its own machine only, not what comes through a reverse proxy ({sign}); "
        "set FREEAICHAT_API_KEY to serve others.",
        type="permission_error",
        code="forwarded_not_allowed",
    )


def _unauthorized(message: str) -> ServiceError:
    return ServiceError(401, message, code="invalid_api_key")


def _session_ended() -> ServiceError:
    return _unauthorized("This session has ended; sign in again.")


def _unverifiable() -> ServiceError:
    return ServiceError(
        503,
        "The store is away, so that nobody knows whether this API key still works.",
        type="server_error",
        code="store_unavailable",
        retry_after=STALE_RETRY_SECONDS,
    )


def sent_keys(headers: Mapping[str, str]) -> list[str]:
    """Every key in *headers*: a bearer token in any case and spacing, a bare one, `x-api-key`, `api-key`."""
    authorization = headers.get("Authorization", "").strip()
    scheme, rest = [*authorization.split(None, 1), "", ""][:2]
    if scheme.lower() == "bearer":
        authorization = rest
    elif scheme.lower() == "basic" and rest:  # a name and a password for a reverse proxy, which browsers send with all
        authorization = ""
    sent = (authorization, headers.get("x-api-key", "").strip(), headers.get("api-key", "").strip())
    return list(filter(None, sent))


def _digest(key: str) -> bytes:
    """The digest that is compared in place of the key. Headers may hold bytes that are no UTF-8."""
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


def _is_loopback_origin(origin: str) -> bool:
    try:
        return is_loopback_name(urlsplit(origin).hostname or "")
    except ValueError:  # not an address at all
        return False


def _origin_pattern(origin: str) -> str:
    """The regular expression for a configured origin: `*` alone matches every origin, within one any part."""
    return ".*" if origin == "*" else re.escape(origin.rstrip("/").lower()).replace(r"\*", "[^/]*")


@lru_cache(64)
def _is_local_host(host: str) -> bool:
    """Whether a Host header, without port and brackets, names this machine."""
    if host.startswith("["):
        name, bracket, _ = host[1:].partition("]")
        name = name if bracket else ""
    else:
        name = host.partition(":")[0]
    return is_loopback_name(name) or name.lower().rstrip(".") == DOCKER_HOST
