"""Notes in SQLite."""

from sqlite3 import Connection

from shared.store.sqlite.worker import SqliteMixin, read_transaction, write_transaction


class NoteStore(SqliteMixin):
    @read_transaction
    def get_note(self, db: Connection, key: str) -> str | None:
        return read_note(db, key)

    @write_transaction
    def set_note(self, db: Connection, key: str, value: str) -> None:
        write_note(db, key, value)


def read_note(db: Connection, key: str) -> str | None:
    """Read a note within a transaction."""
    row = db.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row["value"])


def write_note(db: Connection, key: str, value: str) -> None:
    """Write a note within a transaction."""
    db.execute(
        "INSERT INTO notes (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (key, value),
    )
