"""The thread that owns the SQLite connection, so that the event loop never waits for the disk."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from time import monotonic
from typing import Any, Concatenate, ParamSpec, TypeVar

from shared.store import StoreUnavailable
from shared.store.sqlite.errors import harms_connection, mapped_errors
from shared.store.sqlite.file import file_identity, open_database, refuse_newer

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="SqliteMixin")
Work = Callable[Concatenate[S, sqlite3.Connection, P], T]
Method = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]

LEAST_WAIT_SECONDS = 0.05  # for other processes, whose writes take milliseconds, however long a call queued here

_log = logging.getLogger(__name__)


class Worker:
    """Runs functions with the connection in a thread, one at a time, each in a transaction of its own.

    When the file was deleted or replaced, or the connection broke, the next call reopens it. All methods raise what
    `Store` methods may raise.
    """

    def __init__(
        self, path: Path, *, busy_timeout: float, max_pages: int | None, on_change: Callable[[], None]
    ) -> None:
        """*on_change* is called in the thread after every change that is to be announced."""
        self.path = path
        self._busy_timeout = busy_timeout
        self._max_pages = max_pages
        self._on_change = on_change
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0
        self._is_closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T], begin: str, *, notify: bool) -> T:
        """Run *work* in a transaction that *begin* opens; returns after the commit. *notify*: watchers are notified."""
        asked = monotonic()
        return await self._in_thread(lambda: self._transact(work, begin, asked, notify=notify))

    async def version(self) -> tuple[int, int]:
        """A value that differs after a change by another connection."""
        return await self._in_thread(self._version)

    async def close(self) -> None:
        """Wait for running calls, then close the connection. Later calls raise `StoreUnavailable`."""
        self._is_closed = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _transact(self, work: Callable[[sqlite3.Connection], T], begin: str, asked: float, *, notify: bool) -> T:
        with mapped_errors(self.path):
            connection = self._connected()
            changes = connection.total_changes
            try:
                self._begin(connection, begin, asked)
                refuse_newer(connection, self.path)
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException as error:
                self._undo(connection, error)
                raise
        if notify and connection.total_changes != changes:
            self._on_change()
        return result

    def _begin(self, connection: sqlite3.Connection, begin: str, asked: float) -> None:
        """Begin a transaction. The wait for other processes counts from when it was *asked* for: calls that queue here
        behind one that waits would else each wait as long once more."""
        queued = monotonic() - asked
        if queued < LEAST_WAIT_SECONDS:
            connection.execute(begin)
            return
        _set_timeout(connection, max(LEAST_WAIT_SECONDS, self._busy_timeout - queued))
        try:
            connection.execute(begin)
        finally:
            _set_timeout(connection, self._busy_timeout)

    def _undo(self, connection: sqlite3.Connection, error: BaseException) -> None:
        is_usable = not harms_connection(error)
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            is_usable = False  # `error` is the one to report; closing the connection rolls back too
        if not is_usable:
            self._disconnect()

    def _version(self) -> tuple[int, int]:
        with mapped_errors(self.path):
            connection = self._connected()
            return self._openings, int(connection.execute("PRAGMA data_version").fetchone()[0])

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and file_identity(self.path) != self._identity:
            _log.warning("the store %s was deleted or replaced; opening it anew", self.path)
            self._disconnect()
        if self._connection is None:
            self._connection = open_database(self.path, busy_timeout=self._busy_timeout, max_pages=self._max_pages)
            self._identity = file_identity(self.path)
            self._openings += 1
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _set_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


class SqliteMixin:
    """Base of the mixins that make up `SqliteStore`; each method is decorated with its kind of transaction."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker


def read_transaction(work: Work[S, P, T]) -> Method[S, P, T]:
    """Decorate a method that reads, in one read transaction."""
    return _method(work, "BEGIN")


def write_transaction(work: Work[S, P, T]) -> Method[S, P, T]:
    """Decorate a method that writes, in one write transaction; watchers are notified."""
    return _method(work, "BEGIN IMMEDIATE")


def silent_write_transaction(work: Work[S, P, T]) -> Method[S, P, T]:
    """As `write_transaction`, without notifying watchers."""
    return _method(work, "BEGIN IMMEDIATE", notify=False)


def _method(work: Work[S, P, T], begin: str, *, notify: bool = True) -> Method[S, P, T]:
    @wraps(work)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._worker.run(lambda db: work(self, db, *args, **kwargs), begin, notify=notify)

    return method
