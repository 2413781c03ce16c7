"""API keys: the stored record, and the validation of a new one's options.

The secret itself is shown once and never stored: the store holds its HMAC-SHA256 under a pepper that is kept apart
from the keys (`Store.key_secret`), so that neither of the two alone tells whether a guess is right.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from shared import parsing

PREFIX = "sk-fac-"
WINDOW_SECONDS = 60  # the sliding window of the request limit
AHEAD_SECONDS = 1  # two processes may see the second change in different order
MAX_LIMIT = 10**12
MAX_KEYS = 10_000  # made ever, revoked ones included: every proxy holds them in memory
MAX_MODELS = 100
MAX_MODEL_NAME = 200
RESERVED_NAMES = frozenset({"master", "open"})  # in usage and logs: the master key, and requests that need no key
_NAME = re.compile(r"[^\W_](?:[\w .@+-]{0,62}[\w@+-])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """One key as it is stored. Times are Unix seconds; None: no limit, never."""

    id: str
    name: str
    digest: str = field(repr=False)  # of the secret, in hex
    hint: str  # enough to recognise the secret: its last four characters
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    rpm: int | None = None  # requests in `WINDOW_SECONDS`
    tpd: int | None = None  # tokens in a day, estimated
    models: tuple[str, ...] | None = None  # names that may be used; None: all
    last_used_at: float | None = None

    @property
    def is_limited(self) -> bool:
        """Whether its requests or tokens are limited, and so have to be counted."""
        return self.rpm is not None or self.tpd is not None

    def problem(self, now: float) -> str | None:
        """Why it is not valid at *now*, in words; None if it is."""
        if self.revoked_at is not None:
            return "was revoked"
        if self.expires_at is not None and now >= self.expires_at:
            return "has expired"
        return None


class KeyCounts(NamedTuple):
    """What a limited key has used, as counted in the store."""

    is_admitted: bool  # the request was counted, and is among `requests`
    requests: int  # in the window
    oldest: int | None  # when the oldest of them came (Unix second)
    tokens: int  # today


class NewKey(NamedTuple):
    """The validated options of a new key. `lifetime` is in seconds."""

    name: str
    rpm: int | None = None
    tpd: int | None = None
    models: tuple[str, ...] | None = None
    lifetime: float | None = None


def parse_new_key(
    name: object,
    *,
    rpm: object = None,
    tpd: object = None,
    models: object = None,
    expires_in: object = None,
) -> NewKey:
    """Validate the options of a new key as users and programs write them. Raises ValueError that says what is wrong."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            "name: 1 to 64 letters, digits, blanks or any of . _ @ + -, first a letter or digit, last no blank or dot"
        )
    if name.lower() in RESERVED_NAMES or name.startswith("key_"):
        raise ValueError(f"name: {name!r} means something else here; choose another one")
    return NewKey(name, _limit("rpm", rpm), _limit("tpd", tpd), _models(models), _lifetime(expires_in))


def new_key(pepper: bytes, options: NewKey, *, now: float) -> tuple[str, ApiKey]:
    """Generate a key; returns its secret and its record. *pepper*: `Store.key_secret`."""
    secret = new_secret()
    key = ApiKey(
        id=f"key_{secrets.token_hex(12)}",
        name=options.name,
        digest=digest(pepper, secret),
        hint=hint(secret),
        created_at=now,
        expires_at=None if options.lifetime is None else now + options.lifetime,
        rpm=options.rpm,
        tpd=options.tpd,
        models=options.models,
    )
    return secret, key


def new_secret() -> str:
    """Generate a random secret."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(pepper: bytes, secret: str) -> str:
    """The HMAC-SHA256 of the key's *secret* under the store's *pepper*, in hex."""
    return hmac.digest(pepper, secret.encode("utf-8", "surrogateescape"), "sha256").hex()


def hint(secret: str) -> str:
    """The last characters of a key's *secret*, to recognise it by."""
    return f"{PREFIX}…{secret[-4:]}"


def _limit(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LIMIT:
        raise ValueError(f"{name}: a whole number from 1 to {MAX_LIMIT}")
    return value


def _models(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = parsing.words(value) if isinstance(value, str) else value
    if (
        not isinstance(names, list | tuple)
        or not 1 <= len(names) <= MAX_MODELS
        or not all(isinstance(name, str) and 1 <= len(name) <= MAX_MODEL_NAME for name in names)
    ):
        raise ValueError(f"models: 1 to {MAX_MODELS} names of models")
    return tuple(dict.fromkeys(names))


def _lifetime(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expires: a time such as 30d, 12h or 3600 (seconds)")  # noqa: TRY004
    try:
        seconds = parsing.duration(value)
    except ValueError as error:
        raise ValueError(f"expires: {error}") from None
    if not 0 < seconds <= MAX_LIMIT:
        raise ValueError(f"expires: a time greater than zero, and of {MAX_LIMIT} seconds at most")
    return seconds
