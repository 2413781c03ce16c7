"""Mapping of SQLite's errors to the store's."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.store import StoreCorrupt, StoreError, StoreUnavailable

_FULL = "there is no space left; free some"
_REASONS: dict[int | None, str] = {
    sqlite3.SQLITE_BUSY: "another program has kept it locked for too long",
    sqlite3.SQLITE_LOCKED: "another program has kept it locked for too long",
    sqlite3.SQLITE_PROTOCOL: "too many programs want it at once",
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
    sqlite3.SQLITE_READONLY: "it may not be written; check the owner and mode of the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its directory exists and may be written",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_HARMLESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}


@contextmanager
def mapped_errors(path: Path, what: str = "the store") -> Iterator[None]:
    """Raise SQLite's errors and OSError about *what* in the file *path* as the store's exceptions."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error, f"{what} {path}") from error
    except OSError as error:
        culprit = error.filename if error.filename is not None else path
        raise StoreUnavailable(f"{what} {path} cannot be used: {error.strerror or error} ({culprit})") from error


def harms_connection(error: BaseException) -> bool:
    """Whether a connection that raised *error* should be reopened."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) not in _HARMLESS


def _primary_code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)  # missing where Python itself raised the error
    return None if code is None else code & 0xFF


def _store_error(error: sqlite3.Error, shown: str) -> StoreError:
    code = _primary_code(error)
    if code in _DAMAGE:
        return StoreCorrupt(
            f"{shown} is damaged or not a database ({error}); it was left as it is. Restore a copy, or move "
            "it away to start afresh"
        )
    reason = _REASONS.get(getattr(error, "sqlite_errorcode", None), _REASONS.get(code))
    if reason is None:  # a table or a column is not there, as a rule
        return StoreCorrupt(f"{shown} is damaged, or does not do what it is asked: {error}")
    return StoreUnavailable(f"{shown} cannot be used just now: {reason} ({error.sqlite_errorname})")
