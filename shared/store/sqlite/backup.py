"""Backup and restore of a SQLite store while services use it.

Both directions use SQLite's online backup, which copies one state of the whole store: what is written meanwhile is
either in the copy or not, never half.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shared.store import StoreCorrupt, StoreError, StoreUnavailable
from shared.store.sqlite.errors import mapped_errors
from shared.store.sqlite.file import check_file, open_database, open_to_read, sidecars

BUSY_SECONDS = 30.0  # longest wait for what the services write


class TargetExists(StoreError):
    """The target is not empty; the message says what it holds."""


def back_up(store: Path, target: Path, *, replace: bool) -> int:
    """Copy the store into the new file *target* (mode 0600); its size in bytes.

    An existing *target* is replaced, whole, only if *replace*. Raises `TargetExists`, `StoreUnavailable`,
    `StoreCorrupt` and `StoreTooNew`; then *target* is as it was.
    """
    with mapped_errors(store):
        if not store.is_file():
            raise StoreUnavailable(f"there is no store at {store} yet")
        check_file(store, BUSY_SECONDS, full_check=True)
        with closing(_source(store)) as source, mapped_errors(target, "the copy"):
            if target.exists() and target.samefile(store):
                raise StoreUnavailable(f"{target} is the store itself; name another file")
            if target.exists() and not target.is_file():  # a device such as /dev/stdout, which is not to be replaced
                raise StoreUnavailable(f"{target} is no regular file; name another one")
            _write_copy(source, target, replace=replace)
            return target.stat().st_size


def _write_copy(source: sqlite3.Connection, target: Path, *, replace: bool) -> None:
    """Copy *source* into *target*: under another name first if that is to be replaced. Raises `TargetExists`."""
    written = target.with_name(f"{target.name}.new") if replace else target
    if replace:
        written.unlink(missing_ok=True)  # of a backup that was killed
    try:
        written.touch(0o600, exist_ok=False)
    except FileExistsError:
        raise TargetExists(f"{target} is there already") from None
    try:
        with closing(_connect(written)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without sidecars
        written.replace(target)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def restore(copy: Path, store: Path, *, replace: bool) -> None:
    """Replace the state of the store by that in *copy*, migrated to this version's schema.

    Services that use the store go on with the restored state. A store that holds something is replaced only if
    *replace*. Raises `TargetExists`, `StoreUnavailable`, `StoreCorrupt` and `StoreTooNew`; then the store is as it was.
    """
    try:
        with mapped_errors(copy, "the copy"):
            if not copy.is_file():
                raise StoreUnavailable(f"there is no file {copy}")
            if store.exists() and copy.samefile(store):
                raise StoreUnavailable(f"{copy} is the store itself; name a copy of it")
            check_file(copy, BUSY_SECONDS, full_check=True)
    except StoreCorrupt as error:
        raise StoreCorrupt(
            f"{copy} is no copy of a store, or is damaged; name one that `freeaichat backup` made"
        ) from error
    with mapped_errors(store), closing(open_database(store, busy_timeout=BUSY_SECONDS)) as live:
        if not replace and (found := _contents(live)):
            raise TargetExists(f"the store {store} holds {found}")
        with _current(copy, store) as source:
            source.backup(live)


@contextmanager
def _current(copy: Path, store: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a migrated duplicate of *copy*, beside the store for a moment; *copy* itself stays untouched."""
    duplicate = store.with_name(f"{store.name}.restoring")
    try:
        duplicate.unlink(missing_ok=True)
        duplicate.touch(0o600, exist_ok=False)
        with closing(open_to_read(copy, BUSY_SECONDS)) as source, closing(_connect(duplicate)) as target:
            source.backup(target)
        with closing(open_database(duplicate, busy_timeout=BUSY_SECONDS)) as connection:
            yield connection
    finally:
        for file in (duplicate, *sidecars(duplicate)):
            file.unlink(missing_ok=True)


def _source(store: Path) -> sqlite3.Connection:
    """A connection to copy from. A failing disk may be mounted read-only: a backup matters most then.

    Not that of `open_database`: the services may be of an older version, and must not meet newer tables.
    """
    return _connect(store) if os.access(store.parent, os.W_OK) else open_to_read(store, BUSY_SECONDS)


def _connect(path: Path) -> sqlite3.Connection:
    """A plain connection to an existing file."""
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _contents(connection: sqlite3.Connection) -> str:
    """What the store holds, as a text for users; "" where nothing would be lost."""
    counts = {
        "the credentials of {} site(s)": "SELECT count(*) FROM sites",
        "{} conversation(s)": "SELECT count(*) FROM conversations",
    }
    found = ((words, int(connection.execute(query).fetchone()[0])) for words, query in counts.items())
    return " and ".join(words.format(count) for words, count in found if count)
