"""Opening the SQLite file: created atomically, checked before use, private to its owner.

Nothing here opens the database file other than through SQLite: closing any descriptor of it would drop the
locks that another connection of this process holds.
"""

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shared.secrets import ensure_secret, private_dir
from shared.store import StoreCorrupt, StoreTooNew, StoreUnavailable
from shared.store.sqlite import schema

CHECKED_BYTES = 64 * 1024**2  # a file up to this size is checked whole when opened (0.03 s); damage in a larger
# one is found when its pages are met
MAX_IDLE_WAL_BYTES = 16 * 1024**2
_RETRY_SECONDS = 0.02
_SIDECARS = ("-wal", "-shm", "-journal")
_PEPPER_SUFFIX = ".secret"  # suffix of the file with the pepper of the keys
_OTHER = "set FREEAICHAT_STORE to another file, or move this one away"


def file_identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def ensure_key_secret(path: Path) -> bytes:
    """The pepper in the file beside the database at *path*. Raises `StoreUnavailable`."""
    file = path.with_name(path.name + _PEPPER_SUFFIX)
    try:
        return ensure_secret(file)[0].encode()
    except OSError as error:
        raise StoreUnavailable(f"the secret of the keys in {file} cannot be used: {error.strerror}") from error


def open_database(path: Path, *, busy_timeout: float, max_pages: int | None = None) -> sqlite3.Connection:
    """A connection to the store at the absolute *path*, created or migrated as needed.

    *busy_timeout*: seconds to wait for other processes; *max_pages*: bound of the file's size in pages. Raises
    `StoreTooNew` and `StoreCorrupt` with the file left as it was, `StoreUnavailable`, sqlite3.Error and OSError.
    """
    if not path.parent.is_dir():
        private_dir(path.parent)
    with _locked(path.parent, busy_timeout):
        size = _size(path)
        if size:
            check_file(path, busy_timeout, full_check=size <= CHECKED_BYTES)
        else:
            _create(path, busy_timeout)
        return _connect(path, busy_timeout, max_pages)


@contextmanager
def _locked(directory: Path, seconds: float) -> Iterator[None]:
    """Lock *directory* against other processes that open a store in it."""
    deadline = time.monotonic() + seconds
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"another program keeps the directory {directory} locked") from None
                time.sleep(_RETRY_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        raise StoreUnavailable(f"{path} is not a regular file; {_OTHER}")
    return status.st_size


def _create(path: Path, busy_timeout: float) -> None:
    """Create a new store under another name and rename it, so that nobody sees half of one."""
    fresh = path.with_name(f"{path.name}.new")
    for name in (fresh, *sidecars(fresh), *sidecars(path)):
        name.unlink(missing_ok=True)  # of a file that was deleted or never finished
    fresh.touch(0o600, exist_ok=False)
    _connect(fresh, busy_timeout, None).close()
    fresh.replace(path)


def open_to_read(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """A read-only connection, which also reads the sidecar files."""
    # Without sidecar files nobody has it open, and `immutable` keeps SQLite from making any.
    in_use = any(name.exists() for name in sidecars(path))
    address = f"{path.as_uri()}?mode=ro{'' if in_use else '&immutable=1'}"
    return sqlite3.connect(address, uri=True, timeout=busy_timeout, isolation_level=None)


def check_file(path: Path, busy_timeout: float, *, full_check: bool) -> None:
    """Check the file without changing it. Raises `StoreCorrupt` and `StoreTooNew`."""
    with closing(open_to_read(path, busy_timeout)) as connection:
        if not schema.is_ours(connection):
            raise StoreCorrupt(f"{path} is the database of another program and was left as it is; {_OTHER}")
        refuse_newer(connection, path)
        if full_check:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0].splitlines()[-1]
            if found != "ok":
                raise StoreCorrupt(
                    f"the store {path} is damaged ({found}); it was left as it is. Restore a copy, or move it away to "
                    "start afresh"
                )


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `StoreTooNew` if a newer version of this program has migrated the file."""
    found, known = schema.version(connection), len(schema.MIGRATIONS)
    if found > known:
        raise StoreTooNew(
            f"a newer version wrote the store {path} (its schema is {found}, this version knows {known}); it was left "
            f"as it is. Update freeaichat, or {_OTHER}"
        )


def _connect(path: Path, busy_timeout: float, max_pages: int | None) -> sqlite3.Connection:
    if path.stat().st_mode & 0o777 != 0o600 and path.stat().st_uid == os.geteuid():
        path.chmod(0o600)  # SQLite gives its sidecar files the same mode
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        _use_wal(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {MAX_IDLE_WAL_BYTES}")
        schema.migrate(connection)
        if max_pages is not None:
            connection.execute(f"PRAGMA max_page_count = {max_pages}")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StoreUnavailable(
            f"the file system of {path} cannot share a database between processes (journal mode {mode!r}); put the "
            "store on a local disk"
        )


def sidecars(path: Path) -> list[Path]:
    """The files that SQLite keeps beside that at *path*, while it is in use."""
    return [path.with_name(path.name + suffix) for suffix in _SIDECARS]
