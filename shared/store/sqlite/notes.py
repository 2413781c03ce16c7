"""Notes in SQLite.

Each function does what the `Store` method of its name promises, inside a transaction of the caller's.
"""

import sqlite3


def get_note(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row["value"])


def set_note(connection: sqlite3.Connection, key: str, value: str) -> None:
    connection.execute(
        "INSERT INTO notes (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (key, value),
    )
