"""Branches in SQLite: the site's copies of conversations that clients carry themselves.

Each function does what the `Store` method of its name promises, inside a transaction of the caller's.
"""

import sqlite3
from collections.abc import Sequence

from shared.conversations import Note
from shared.store.documents import load, readable

MAX_BRANCHES = 100_000  # a row is some 300 bytes
PRUNED_AT_ONCE = 1000


def keep_branches(connection: sqlite3.Connection, branches: Sequence[tuple[str, Note, float]]) -> None:
    connection.executemany(
        "INSERT INTO branches (history, upstream, kept_at) VALUES (?, ?, ?)",
        [(history, note.model_dump_json(), at) for history, note, at in branches],
    )


def take_branch(connection: sqlite3.Connection, history: str) -> Note | None:
    row = connection.execute(
        "DELETE FROM branches WHERE number = (SELECT MAX(number) FROM branches WHERE history = ?) RETURNING upstream",
        (history,),
    ).fetchone()
    found = [] if row is None else readable(lambda text: load(Note, text), [row["upstream"]])
    return found[0] if found else None


def redate_some(connection: sqlite3.Connection, now: float) -> int:
    """Let some branches that were kept later than *now* count as kept now; 0: none is left."""
    return connection.execute(
        "UPDATE branches SET kept_at = ?1 WHERE number IN (SELECT number FROM branches WHERE kept_at > ?1 LIMIT ?2)",
        (now, PRUNED_AT_ONCE),
    ).rowcount


def prune_some(connection: sqlite3.Connection, before: float) -> int:
    """Drop up to `PRUNED_AT_ONCE` branches that are too old or too many; how many went."""
    return connection.execute(
        "DELETE FROM branches WHERE number IN (SELECT number FROM branches WHERE kept_at < ? "
        "OR number <= (SELECT MAX(number) FROM branches) - ? LIMIT ?)",
        (before, MAX_BRANCHES, PRUNED_AT_ONCE),
    ).rowcount
