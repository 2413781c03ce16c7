"""API keys in SQLite, and the counters of limited ones."""

import asyncio
import secrets
from dataclasses import replace
from sqlite3 import Connection, Row
from typing import Any

from shared.admin.keys import AHEAD_SECONDS, WINDOW_SECONDS, ApiKey, KeyCounts
from shared.admin.usage import day_of
from shared.serialization import to_json
from shared.store.documents import load, skip_damaged_unless_all
from shared.store.sqlite.file import ensure_key_secret
from shared.store.sqlite.notes import read_note, write_note
from shared.store.sqlite.worker import SqliteMixin, read_transaction, silent_write_transaction, write_transaction

_VERSION = "keys.version"


class KeyStore(SqliteMixin):
    async def key_secret(self) -> bytes:
        return await asyncio.to_thread(ensure_key_secret, self._worker.path)

    @write_transaction
    def add_key(self, db: Connection, key: ApiKey) -> bool:
        taken = db.execute("SELECT 1 FROM api_keys WHERE name = ? AND NOT is_revoked", (key.name,)).fetchone()
        if taken is not None:
            return False
        db.execute("INSERT INTO api_keys (id, name, record) VALUES (?, ?, ?)", (key.id, key.name, to_json(key)))
        _bump_version(db)
        return True

    @read_transaction
    def keys(self, db: Connection) -> list[ApiKey]:
        rows = db.execute("SELECT record, last_used_at FROM api_keys ORDER BY rowid DESC").fetchall()
        return sorted(skip_damaged_unless_all(_read, rows), key=lambda key: -key.created_at)

    @read_transaction
    def keys_version(self, db: Connection) -> str:
        return read_note(db, _VERSION) or ""

    @write_transaction
    def revoke_key(self, db: Connection, key_id: str, *, at: float) -> bool:
        return _update(db, key_id, {"revoked_at": at})

    @write_transaction
    def rotate_key(self, db: Connection, key_id: str, *, digest: str, hint: str) -> bool:
        return _update(db, key_id, {"digest": digest, "hint": hint})

    @silent_write_transaction
    def admit_requests(
        self, db: Connection, key_id: str, *, at: float, rpm: int | None, tpd: int | None, count: int = 1
    ) -> KeyCounts:
        # Seconds that are still to come were counted before the clock was set back.
        db.execute(
            "DELETE FROM key_requests WHERE key = ? AND (second <= ? OR second > ?)",
            (key_id, int(at) - WINDOW_SECONDS, int(at) + AHEAD_SECONDS),
        )
        counts = _counts(db, key_id, at)
        if (rpm is not None and counts.requests + count > rpm) or (tpd is not None and counts.tokens >= tpd):
            return counts
        db.execute(
            "INSERT INTO key_requests (key, second, count) VALUES (?, ?, ?) "
            "ON CONFLICT (key, second) DO UPDATE SET count = count + excluded.count",
            (key_id, int(at), count),
        )
        return _counts(db, key_id, at)._replace(is_admitted=True)

    @read_transaction
    def key_counts(self, db: Connection, key_id: str, *, at: float) -> KeyCounts:
        return _counts(db, key_id, at)


def _counts(db: Connection, key_id: str, at: float) -> KeyCounts:
    requests, oldest = db.execute(
        "SELECT COALESCE(SUM(count), 0), MIN(second) FROM key_requests WHERE key = ? AND second > ? AND second <= ?",
        (key_id, int(at) - WINDOW_SECONDS, int(at) + AHEAD_SECONDS),
    ).fetchone()
    used = db.execute("SELECT count FROM key_tokens WHERE key = ? AND day = ?", (key_id, day_of(at))).fetchone()
    return KeyCounts(False, requests, oldest, 0 if used is None else used["count"])


def _update(db: Connection, key_id: str, update: dict[str, Any]) -> bool:
    row = db.execute("SELECT record, last_used_at FROM api_keys WHERE id = ? AND NOT is_revoked", (key_id,)).fetchone()
    if row is None:
        return False
    changed = replace(_read(row), **update)
    db.execute(
        "UPDATE api_keys SET record = ?, is_revoked = ? WHERE id = ?",
        (to_json(changed), changed.revoked_at is not None, key_id),
    )
    _bump_version(db)
    return True


def _read(row: Row) -> ApiKey:
    return replace(load(ApiKey, row["record"]), last_used_at=row["last_used_at"])


def _bump_version(db: Connection) -> None:
    write_note(db, _VERSION, secrets.token_hex(8))
