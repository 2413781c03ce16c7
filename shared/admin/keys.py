"""API keys: what is kept of one, and what may be asked of one.

The secret itself is shown once and never kept: the store holds its HMAC-SHA256 under a secret that stands apart from
the keys (`Store.key_secret`), so that neither of the two alone tells whether a guess is right.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared import parsing

PREFIX = "sk-fac-"
WINDOW_SECONDS = 60  # requests are limited over any so long a time
AHEAD_SECONDS = 1  # two processes may see the second change in different order
DAY_SECONDS = 86400  # tokens over a day of UTC
MAX_LIMIT = 10**12
MAX_KEYS = 10_000  # made ever, revoked ones included: every proxy holds them in memory
MAX_MODELS = 100
MAX_MODEL_NAME = 200
RESERVED_NAMES = frozenset({"master", "open"})  # in usage and logs: the master key, and requests that need no key
_NAME = re.compile(r"[^\W_](?:[\w .@+-]{0,62}[\w@+-])?")


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """One key as it is kept. Times are Unix seconds; None: no limit, never."""

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
        """Whether what is asked with it has to be counted."""
        return self.rpm is not None or self.tpd is not None

    def trouble(self, now: float) -> str | None:
        """Why it does not work at *now*, in words; None if it does."""
        if self.revoked_at is not None:
            return "was revoked"
        if self.expires_at is not None and now >= self.expires_at:
            return "has expired"
        return None


class Counts(NamedTuple):
    """What a limited key has used, as the store knows it."""

    is_admitted: bool  # the request that was asked about is among `requests`
    requests: int  # in the window
    oldest: int | None  # when the oldest of them came (Unix second)
    tokens: int  # today


class KeyWish(NamedTuple):
    """What a new key is to be, checked. `lifetime` is in seconds."""

    name: str
    rpm: int | None = None
    tpd: int | None = None
    models: tuple[str, ...] | None = None
    lifetime: float | None = None


def wish(
    name: object,
    *,
    rpm: object = None,
    tpd: object = None,
    models: object = None,
    expires_in: object = None,
) -> KeyWish:
    """The wish for a key, from values as people and programs write them. Raises ValueError that says what is wrong."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            "name: 1 to 64 letters, digits, blanks or any of . _ @ + -, first a letter or digit, last no blank or dot"
        )
    if name.lower() in RESERVED_NAMES or name.startswith("key_"):
        raise ValueError(f"name: {name!r} means something else here; choose another one")
    return KeyWish(name, _limit("rpm", rpm), _limit("tpd", tpd), _models(models), _lifetime(expires_in))


def new_key(secret: bytes, wanted: KeyWish, *, now: float) -> tuple[str, ApiKey]:
    """A new key's own secret, and what is kept of it. *secret*: the store's."""
    own = new_secret()
    key = ApiKey(
        id=f"key_{secrets.token_hex(12)}",
        name=wanted.name,
        digest=digest(secret, own),
        hint=hint(own),
        created_at=now,
        expires_at=None if wanted.lifetime is None else now + wanted.lifetime,
        rpm=wanted.rpm,
        tpd=wanted.tpd,
        models=wanted.models,
    )
    return own, key


def new_secret() -> str:
    """A secret that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: bytes, own: str) -> str:
    """What is kept of the key's *own* secret, under the store's *secret*."""
    return hmac.digest(secret, own.encode("utf-8", "surrogateescape"), "sha256").hex()


def hint(own: str) -> str:
    """Enough of a key's *own* secret to recognise it."""
    return f"{PREFIX}…{own[-4:]}"


def find(keys: Sequence[ApiKey], wanted: str) -> ApiKey | None:
    """The key of that id or name in *keys*, newest first: one that was not revoked before one that was."""
    named = [key for key in keys if wanted in (key.id, key.name)]
    return next((key for key in named if key.revoked_at is None), next(iter(named), None))


def _limit(what: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LIMIT:
        raise ValueError(f"{what}: a whole number from 1 to {MAX_LIMIT}")
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
