"""Notes in SQLite."""

from sqlite3 import Connection

from shared.store.sqlite.worker import Part, reads, writes


class NoteStore(Part):
    @reads
    def get_note(self, db: Connection, key: str) -> str | None:
        return read_note(db, key)

    @writes
    def set_note(self, db: Connection, key: str, value: str) -> None:
        write_note(db, key, value)


def read_note(db: Connection, key: str) -> str | None:
    """A note, for what is done in one transaction with it."""
    row = db.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row["value"])


def write_note(db: Connection, key: str, value: str) -> None:
    """Keep a note in one transaction with something else."""
    db.execute(
        "INSERT INTO notes (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (key, value),
    )
