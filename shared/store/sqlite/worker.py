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
from shared.store.sqlite.errors import harms_connection, translated
from shared.store.sqlite.file import file_identity, open_database, refuse_newer

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="Part")
Work = Callable[Concatenate[S, sqlite3.Connection, P], T]
Method = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]

LEAST_WAIT_SECONDS = 0.05  # for other processes, whose writes take milliseconds, however long a call queued here

_log = logging.getLogger(__name__)


class Worker:
    """Runs functions of a connection, one at a time, each in a transaction of its own.

    A function either takes effect whole or not at all. When the file was deleted or replaced, or the connection
    broke, the next call opens it anew. All methods raise what `Store` methods may raise.
    """

    def __init__(
        self, path: Path, *, busy_timeout: float, max_pages: int | None, on_change: Callable[[], None]
    ) -> None:
        """*on_change* is called in the thread after every change that is news."""
        self.path = path
        self._busy_timeout = busy_timeout
        self._max_pages = max_pages
        self._on_change = on_change
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0
        self._is_closed = False

    async def run(self, work: Callable[[sqlite3.Connection], T], begin: str, *, is_news: bool) -> T:
        """What *work* returns in a transaction that *begin* opens, once its changes are kept, and told if *is_news*."""
        asked = monotonic()
        return await self._in_thread(lambda: self._transact(work, begin, asked, is_news=is_news))

    async def version(self) -> tuple[int, int]:
        """A value that differs whenever another connection has changed the store since."""
        return await self._in_thread(self._version)

    async def close(self) -> None:
        """Wait for what runs, then close the connection. Later calls raise `StoreUnavailable`."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _transact(self, work: Callable[[sqlite3.Connection], T], begin: str, asked: float, *, is_news: bool) -> T:
        with translated(self.path):
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
        if is_news and connection.total_changes != changes:
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
        with translated(self.path):
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


class Part:
    """The methods of a store for one subject, each marked with how it runs."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker


def reads(work: Work[S, P, T]) -> Method[S, P, T]:
    """A method that finds all it looks at in one state of the store."""
    return _method(work, "BEGIN")


def writes(work: Work[S, P, T]) -> Method[S, P, T]:
    """A method that returns once its changes are kept."""
    return _method(work, "BEGIN IMMEDIATE")


def writes_quietly(work: Work[S, P, T]) -> Method[S, P, T]:
    """As `writes`, for changes that are no news to anybody here."""
    return _method(work, "BEGIN IMMEDIATE", is_news=False)


def _method(work: Work[S, P, T], begin: str, *, is_news: bool = True) -> Method[S, P, T]:
    @wraps(work)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._worker.run(lambda db: work(self, db, *args, **kwargs), begin, is_news=is_news)

    return method
