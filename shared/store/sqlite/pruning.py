"""Pruning of conversations and copies in SQLite, in small transactions, so that others never wait for long."""

from math import inf
from sqlite3 import Connection

from shared.store import MAX_COPIES
from shared.store.sqlite.worker import SqliteMixin, silent_write_transaction, write_transaction

REDATED_AT_ONCE = 1000
COPIES_AT_ONCE = 1000
CONVERSATIONS_AT_ONCE = 50

_REDATE = (
    "UPDATE conversations SET updated_at = ?1 WHERE number IN "
    "(SELECT number FROM conversations WHERE updated_at > ?1 LIMIT ?2)",
    "UPDATE branches SET kept_at = ?1 WHERE number IN (SELECT number FROM branches WHERE kept_at > ?1 LIMIT ?2)",
)


class PruningStore(SqliteMixin):
    async def prune(self, *, before: float, max_bytes: int, now: float = inf) -> int:
        for statement in _REDATE:
            while await self._redate(statement, now):
                pass
        dropped = 0
        while count := await self._prune_conversations(before, max_bytes):
            dropped += count
        while await self._prune_copies(before):
            pass
        return dropped

    @silent_write_transaction
    def _redate(self, db: Connection, statement: str, now: float) -> int:
        """Reset times later than *now* in some rows to *now*; returns how many."""
        return db.execute(statement, (now, REDATED_AT_ONCE)).rowcount

    @write_transaction
    def _prune_conversations(self, db: Connection, before: float, max_bytes: int) -> int:
        """Drop at most `CONVERSATIONS_AT_ONCE` conversations; returns how many, 0 when done."""
        total = db.execute("SELECT COALESCE(SUM(bytes), 0) FROM conversations").fetchone()[0]
        oldest = db.execute(
            "SELECT number, updated_at, bytes FROM conversations ORDER BY updated_at, number LIMIT ?",
            (CONVERSATIONS_AT_ONCE,),
        ).fetchall()
        dropped = 0
        for row in oldest:
            if row["updated_at"] >= before and total <= max_bytes:
                break
            db.execute("DELETE FROM conversations WHERE number = ?", (row["number"],))
            total -= row["bytes"]
            dropped += 1
        return dropped

    @write_transaction
    def _prune_copies(self, db: Connection, before: float) -> int:
        """Drop up to `COPIES_AT_ONCE` copies that are too old or too many; returns how many."""
        return db.execute(
            "DELETE FROM branches WHERE number IN (SELECT number FROM branches WHERE kept_at < ? "
            "OR number <= (SELECT MAX(number) FROM branches) - ? LIMIT ?)",
            (before, MAX_COPIES, COPIES_AT_ONCE),
        ).rowcount
