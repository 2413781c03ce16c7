"""Usage in SQLite."""

import json
from math import inf
from sqlite3 import Connection

from shared.admin.usage import DAY_SECONDS, Counters, UsageBatch, UsageGroup, add, day_of
from shared.store.documents import decoding, intact, skip_damaged
from shared.store.sqlite.notes import read_note, write_note
from shared.store.sqlite.worker import SqliteMixin, read_transaction, silent_write_transaction

KEPT_BATCHES = 100  # ids that are recognised: as many as proxies write while one of them retries a batch
_LAST = "usage.batches"


class UsageStore(SqliteMixin):
    @silent_write_transaction
    def add_usage(self, db: Connection, batch: UsageBatch) -> None:
        """Idempotent by the batch's id, so that this may be retried."""
        if not _is_new(db, batch.id):
            return
        for group, counters in batch.groups.items():
            row = db.execute("SELECT counts FROM usage WHERE (hour, key, model, site) = (?, ?, ?, ?)", group).fetchone()
            counts = intact(_load, row and row["counts"]) or {}
            add(counts, counters)
            db.execute(
                "INSERT OR REPLACE INTO usage (hour, key, model, site, counts) VALUES (?, ?, ?, ?, ?)",
                (*group, json.dumps(counts, separators=(",", ":"))),
            )
        for (key, day), tokens in batch.tokens.items():
            db.execute("DELETE FROM key_tokens WHERE key = ? AND day < ?", (key, day - 1))
            db.execute(
                "INSERT INTO key_tokens (key, day, count) VALUES (?, ?, ?) "
                "ON CONFLICT (key, day) DO UPDATE SET count = count + excluded.count",
                (key, day, tokens),
            )
        db.executemany(
            "UPDATE api_keys SET last_used_at = MAX(?1, COALESCE(last_used_at, 0)) WHERE id = ?2",
            [(at, key) for key, at in batch.seen.items()],
        )

    @read_transaction
    def usage(self, db: Connection, *, since: float, until: float) -> list[tuple[UsageGroup, Counters]]:
        rows = db.execute(
            "SELECT hour, key, model, site, counts FROM usage WHERE hour >= ? AND hour < ? ORDER BY hour",
            (since, until),
        )
        return skip_damaged(lambda row: (UsageGroup(*row[:4]), _load(row["counts"])), rows)

    @silent_write_transaction
    def prune_usage(self, db: Connection, *, before: float, after: float = inf) -> int:
        dropped = db.execute("DELETE FROM usage WHERE hour < ? OR hour > ?", (before, after)).rowcount
        db.execute("DELETE FROM key_tokens WHERE day < ? OR day * ? > ?", (day_of(before), DAY_SECONDS, after))
        return dropped


def _is_new(db: Connection, batch_id: str) -> bool:
    known = (read_note(db, _LAST) or "").split()
    if batch_id in known:
        return False
    write_note(db, _LAST, " ".join([*known, batch_id][-KEPT_BATCHES:]))
    return True


def _load(text: str) -> Counters:
    with decoding("some usage"):
        return {str(name): int(count) for name, count in json.loads(text).items()}
