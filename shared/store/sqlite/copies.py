"""Upstreams' copies of conversations that clients send whole, in SQLite, where their table is called branches."""

from collections.abc import Sequence
from sqlite3 import Connection

from shared.conversations import Note
from shared.serialization import to_json
from shared.store.documents import intact, load_note
from shared.store.sqlite.worker import SqliteMixin, write_transaction


class CopyStore(SqliteMixin):
    @write_transaction
    def add_copies(self, db: Connection, copies: Sequence[tuple[str, Note, float]]) -> None:
        db.executemany(
            "INSERT INTO branches (history, upstream, kept_at) VALUES (?, ?, ?)",
            [(history, to_json(note), at) for history, note, at in copies],
        )

    @write_transaction
    def take_copy(self, db: Connection, history: str) -> Note | None:
        row = db.execute(
            "DELETE FROM branches WHERE number = (SELECT MAX(number) FROM branches WHERE history = ?) "
            "RETURNING upstream",
            (history,),
        ).fetchone()
        return intact(load_note, row and row["upstream"])
