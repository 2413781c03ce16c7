"""Branches in SQLite: the site's copies of conversations that clients carry themselves."""

from collections.abc import Sequence
from sqlite3 import Connection

from shared.conversations import Note
from shared.serialization import to_json
from shared.store.documents import intact, load_note
from shared.store.sqlite.worker import SqliteMixin, write_transaction


class BranchStore(SqliteMixin):
    @write_transaction
    def add_branches(self, db: Connection, branches: Sequence[tuple[str, Note, float]]) -> None:
        db.executemany(
            "INSERT INTO branches (history, upstream, kept_at) VALUES (?, ?, ?)",
            [(history, to_json(note), at) for history, note, at in branches],
        )

    @write_transaction
    def pop_branch(self, db: Connection, history: str) -> Note | None:
        row = db.execute(
            "DELETE FROM branches WHERE number = (SELECT MAX(number) FROM branches WHERE history = ?) "
            "RETURNING upstream",
            (history,),
        ).fetchone()
        return intact(load_note, row and row["upstream"])
