"""Mapping of Redis's errors to the store's."""

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.store import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable
from shared.store.redis.schema import VERSION

NEWER = "FREEAICHAT_NEWER"  # error code of a script where a newer version wrote the store
FOREIGN = "FREEAICHAT_FOREIGN"  # … where other data is under our keys

_OTHER = "set FREEAICHAT_STORE to another database"
_KINDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((AuthenticationError, AuthorizationError), "it refuses the user or password in FREEAICHAT_STORE"),
    (
        NoPermissionError,
        "its user may not do what a store needs; allow it ~{freeaichat}:* &{freeaichat}:* +@all",
    ),
    (BusyLoadingError, "it is still loading its data"),
    (ReadOnlyError, "it is a replica that may only be read; name the primary in FREEAICHAT_STORE"),
    (OutOfMemoryError, "its memory is full; raise its maxmemory"),
    (AskError, "it belongs to a cluster in which another machine keeps the store; name that one in FREEAICHAT_STORE"),
    ((ClusterDownError, TryAgainError), "its cluster is not whole just now"),
    (InvalidResponse, "what answers there is not Redis"),
    ((RedisTimeoutError, TimeoutError), "it does not answer in time"),
)
_CODES = {  # first words of errors that have no class of their own
    "MISCONF": "it cannot write to its disk",
    "NOREPLICAS": "too few of its replicas are there",
    "BUSY": "it is busy with a script of another program",
    "UNKILLABLE": "it is busy with a script of another program",
}
_WORDS = {  # parts of errors that have neither
    "unauthenticated": AuthenticationError,  # instead of NOAUTH, where the command is long
    "user executing the script": NoPermissionError,  # instead of NOPERM, within a script
    "ACL failure in script": NoPermissionError,  # … from Redis 7.2 on
}


def map_error(error: Exception, shown: str) -> StoreError:
    """Map *error* of the server at *shown* to what `Store` methods may raise."""
    if isinstance(error, ResponseError) and (fault := _map_code(str(error), shown)) is not None:
        return fault
    for kind, reason in _KINDS:
        if isinstance(error, kind):
            return StoreUnavailable(f"the store {shown} cannot be used just now: {reason}")
    if isinstance(error, RedisConnectionError):
        return StoreUnavailable(
            f"the store {shown} cannot be reached: {error} Check that Redis runs there, and FREEAICHAT_STORE"
        )
    return StoreCorrupt(f"the store {shown} is damaged, or does not do what it is asked: {error}")


def _map_code(text: str, shown: str) -> StoreError | None:
    code, _, rest = text.partition(" ")
    if code == NEWER:
        return StoreTooNew(
            f"a newer version wrote the store {shown} (its schema is {rest}, this version knows {VERSION}); it was "
            f"left as it is. Update freeaichat, or {_OTHER}"
        )
    if code in (FOREIGN, "WRONGTYPE"):
        return StoreCorrupt(f"the store {shown} holds other data under the keys of this program; {_OTHER}")
    for words, kind in _WORDS.items():
        if words in text:
            return map_error(kind(), shown)
    if "Error compiling script" in text:
        return StoreError(f"the store {shown} is too old: Redis 7 or Valkey is needed")
    if code in _CODES:
        return StoreUnavailable(f"the store {shown} cannot be used just now: {_CODES[code]}")
    return None
