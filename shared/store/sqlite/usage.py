"""What was used, in SQLite. Each function does what the `Store` method of its name promises, in one transaction."""

import json
import sqlite3

from shared.admin.usage import DAY_SECONDS, Counters, Group, UsageBatch, add, day_of
from shared.store.documents import readable, reading

KEPT_BATCHES = 100  # ids that are known again: as many as proxies write while one of them repeats a batch
_LAST = "usage.batches"


def add_usage(connection: sqlite3.Connection, batch: UsageBatch) -> None:
    """A transaction takes effect or not; ids are kept for the caller who was not told which."""
    if not _is_new(connection, batch.id):
        return
    for group, counters in batch.groups.items():
        row = connection.execute(
            "SELECT counts FROM usage WHERE (hour, key, model, site) = (?, ?, ?, ?)", group
        ).fetchone()
        counts = next(iter(readable(_load, [] if row is None else [row["counts"]])), {})
        add(counts, counters)
        connection.execute(
            "INSERT OR REPLACE INTO usage (hour, key, model, site, counts) VALUES (?, ?, ?, ?, ?)",
            (*group, json.dumps(counts, separators=(",", ":"))),
        )
    for (key, day), tokens in batch.tokens.items():
        connection.execute("DELETE FROM key_tokens WHERE key = ? AND day < ?", (key, day - 1))
        connection.execute(
            "INSERT INTO key_tokens (key, day, count) VALUES (?, ?, ?) "
            "ON CONFLICT (key, day) DO UPDATE SET count = count + excluded.count",
            (key, day, tokens),
        )
    connection.executemany(
        "UPDATE api_keys SET last_used_at = MAX(?1, COALESCE(last_used_at, 0)) WHERE id = ?2",
        [(at, key) for key, at in batch.seen.items()],
    )


def usage(connection: sqlite3.Connection, since: float, until: float) -> list[tuple[Group, Counters]]:
    rows = connection.execute(
        "SELECT hour, key, model, site, counts FROM usage WHERE hour >= ? AND hour < ? ORDER BY hour", (since, until)
    )
    return readable(lambda row: (Group(*row[:4]), _load(row["counts"])), rows)


def prune_usage(connection: sqlite3.Connection, before: float, after: float) -> int:
    gone = connection.execute("DELETE FROM usage WHERE hour < ? OR hour > ?", (before, after)).rowcount
    connection.execute("DELETE FROM key_tokens WHERE day < ? OR day * ? > ?", (day_of(before), DAY_SECONDS, after))
    return gone


def _is_new(connection: sqlite3.Connection, batch_id: str) -> bool:
    row = connection.execute("SELECT value FROM notes WHERE key = ?", (_LAST,)).fetchone()
    known: list[str] = [] if row is None else row["value"].split()
    if batch_id in known:
        return False
    connection.execute(
        "INSERT OR REPLACE INTO notes (key, value) VALUES (?, ?)", (_LAST, " ".join([*known, batch_id][-KEPT_BATCHES:]))
    )
    return True


def _load(text: str) -> Counters:
    with reading("some usage"):
        return {str(name): int(count) for name, count in json.loads(text).items()}
