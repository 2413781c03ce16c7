"""API keys in SQLite, and what limited ones have used.

Each function does what the `Store` method of its name promises, inside a transaction of the caller's.
"""

import secrets
import sqlite3

from shared.admin.keys import AHEAD_SECONDS, WINDOW_SECONDS, ApiKey, Counts
from shared.admin.usage import day_of
from shared.store.documents import dump, load, some_readable
from shared.store.sqlite.notes import get_note, set_note

_VERSION = "keys.version"


def add_key(connection: sqlite3.Connection, key: ApiKey) -> bool:
    taken = connection.execute("SELECT 1 FROM api_keys WHERE name = ? AND NOT is_revoked", (key.name,)).fetchone()
    if taken is not None:
        return False
    connection.execute("INSERT INTO api_keys (id, name, record) VALUES (?, ?, ?)", (key.id, key.name, dump(key)))
    _changed(connection)
    return True


def keys(connection: sqlite3.Connection) -> list[ApiKey]:
    rows = connection.execute("SELECT record, last_used_at FROM api_keys ORDER BY rowid DESC").fetchall()
    found = some_readable(_read, rows)
    return sorted(found, key=lambda key: -key.created_at)


def keys_version(connection: sqlite3.Connection) -> str:
    return get_note(connection, _VERSION) or ""


def revoke_key(connection: sqlite3.Connection, key_id: str, at: float) -> bool:
    return _change(connection, key_id, {"revoked_at": at})


def rotate_key(connection: sqlite3.Connection, key_id: str, digest: str, hint: str) -> bool:
    return _change(connection, key_id, {"digest": digest, "hint": hint})


def take_request(
    connection: sqlite3.Connection, key_id: str, at: float, limits: tuple[int | None, int | None], count: int
) -> Counts:
    rpm, tpd = limits
    # Seconds that are still to come were counted before the clock was set back.
    connection.execute(
        "DELETE FROM key_requests WHERE key = ? AND (second <= ? OR second > ?)",
        (key_id, int(at) - WINDOW_SECONDS, int(at) + AHEAD_SECONDS),
    )
    counts = key_counts(connection, key_id, at)
    if (rpm is not None and counts.requests + count > rpm) or (tpd is not None and counts.tokens >= tpd):
        return counts
    connection.execute(
        "INSERT INTO key_requests (key, second, count) VALUES (?, ?, ?) "
        "ON CONFLICT (key, second) DO UPDATE SET count = count + excluded.count",
        (key_id, int(at), count),
    )
    return key_counts(connection, key_id, at)._replace(is_admitted=True)


def key_counts(connection: sqlite3.Connection, key_id: str, at: float) -> Counts:
    requests, oldest = connection.execute(
        "SELECT COALESCE(SUM(count), 0), MIN(second) FROM key_requests WHERE key = ? AND second > ? AND second <= ?",
        (key_id, int(at) - WINDOW_SECONDS, int(at) + AHEAD_SECONDS),
    ).fetchone()
    used = connection.execute("SELECT count FROM key_tokens WHERE key = ? AND day = ?", (key_id, day_of(at))).fetchone()
    return Counts(False, requests, oldest, 0 if used is None else used["count"])


def _change(connection: sqlite3.Connection, key_id: str, update: dict[str, object]) -> bool:
    row = connection.execute(
        "SELECT record, last_used_at FROM api_keys WHERE id = ? AND NOT is_revoked", (key_id,)
    ).fetchone()
    if row is None:
        return False
    changed = _read(row).model_copy(update=update)
    connection.execute(
        "UPDATE api_keys SET record = ?, is_revoked = ? WHERE id = ?",
        (dump(changed), changed.revoked_at is not None, key_id),
    )
    _changed(connection)
    return True


def _read(row: sqlite3.Row) -> ApiKey:
    return load(ApiKey, row["record"]).model_copy(update={"last_used_at": row["last_used_at"]})


def _changed(connection: sqlite3.Connection) -> None:
    set_note(connection, _VERSION, secrets.token_hex(8))
