"""API keys in SQLite, and what limited ones have used."""

import asyncio
import secrets
from dataclasses import replace
from sqlite3 import Connection, Row
from typing import Any

from shared.admin.keys import AHEAD_SECONDS, WINDOW_SECONDS, ApiKey, Counts
from shared.admin.usage import day_of
from shared.serialization import to_json
from shared.store.documents import load, some_readable
from shared.store.sqlite.file import ensure_key_secret
from shared.store.sqlite.notes import read_note, write_note
from shared.store.sqlite.worker import Part, reads, writes, writes_quietly

_VERSION = "keys.version"


class KeyStore(Part):
    async def key_secret(self) -> bytes:
        return await asyncio.to_thread(ensure_key_secret, self._worker.path)

    @writes
    def add_key(self, db: Connection, key: ApiKey) -> bool:
        taken = db.execute("SELECT 1 FROM api_keys WHERE name = ? AND NOT is_revoked", (key.name,)).fetchone()
        if taken is not None:
            return False
        db.execute("INSERT INTO api_keys (id, name, record) VALUES (?, ?, ?)", (key.id, key.name, to_json(key)))
        _changed(db)
        return True

    @reads
    def keys(self, db: Connection) -> list[ApiKey]:
        rows = db.execute("SELECT record, last_used_at FROM api_keys ORDER BY rowid DESC").fetchall()
        return sorted(some_readable(_read, rows), key=lambda key: -key.created_at)

    @reads
    def keys_version(self, db: Connection) -> str:
        return read_note(db, _VERSION) or ""

    @writes
    def revoke_key(self, db: Connection, key_id: str, *, at: float) -> bool:
        return _change(db, key_id, {"revoked_at": at})

    @writes
    def rotate_key(self, db: Connection, key_id: str, *, digest: str, hint: str) -> bool:
        return _change(db, key_id, {"digest": digest, "hint": hint})

    @writes_quietly
    def take_request(
        self, db: Connection, key_id: str, *, at: float, rpm: int | None, tpd: int | None, count: int = 1
    ) -> Counts:
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

    @reads
    def key_counts(self, db: Connection, key_id: str, *, at: float) -> Counts:
        return _counts(db, key_id, at)


def _counts(db: Connection, key_id: str, at: float) -> Counts:
    requests, oldest = db.execute(
        "SELECT COALESCE(SUM(count), 0), MIN(second) FROM key_requests WHERE key = ? AND second > ? AND second <= ?",
        (key_id, int(at) - WINDOW_SECONDS, int(at) + AHEAD_SECONDS),
    ).fetchone()
    used = db.execute("SELECT count FROM key_tokens WHERE key = ? AND day = ?", (key_id, day_of(at))).fetchone()
    return Counts(False, requests, oldest, 0 if used is None else used["count"])


def _change(db: Connection, key_id: str, update: dict[str, Any]) -> bool:
    row = db.execute("SELECT record, last_used_at FROM api_keys WHERE id = ? AND NOT is_revoked", (key_id,)).fetchone()
    if row is None:
        return False
    changed = replace(_read(row), **update)
    db.execute(
        "UPDATE api_keys SET record = ?, is_revoked = ? WHERE id = ?",
        (to_json(changed), changed.revoked_at is not None, key_id),
    )
    _changed(db)
    return True


def _read(row: Row) -> ApiKey:
    return replace(load(ApiKey, row["record"]), last_used_at=row["last_used_at"])


def _changed(db: Connection) -> None:
    write_note(db, _VERSION, secrets.token_hex(8))
