"""Conversations in SQLite, one row for each message."""

import json
from collections.abc import Iterable, Sequence
from sqlite3 import Connection, Row

from shared.conversations import CONVERSATION_BYTES, Conversation, Message, Note, TurnResult, stored_bytes
from shared.serialization import from_plain, to_json
from shared.store import StoreError
from shared.store.documents import decoding, load_note
from shared.store.sqlite.worker import SqliteMixin, read_transaction, write_transaction


class ConversationStore(SqliteMixin):
    @write_transaction
    def create_conversation(self, db: Connection, conversation: Conversation) -> None:
        if _find(db, conversation.id) is not None:
            raise StoreError(f"there is a conversation {conversation.id!r} already")
        db.execute(
            "INSERT INTO conversations "
            "(id, owner, created_at, updated_at, metadata, upstream, pending_turn, response, bytes) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                conversation.id,
                conversation.owner,
                conversation.created_at,
                conversation.updated_at,
                json.dumps(conversation.metadata),
                to_json(conversation.note) if conversation.note else None,
                conversation.pending_turn,
                conversation.response,
            ),
        )
        number = db.execute("SELECT last_insert_rowid()").fetchone()[0]
        _reset_size(db, number)
        _append(db, number, conversation.messages)

    @read_transaction
    def conversation(self, db: Connection, conversation_id: str) -> Conversation | None:
        row = _find(db, conversation_id)
        if row is None:
            return None
        messages = db.execute(
            "SELECT role, text, images, item, tools FROM messages WHERE conversation = ? ORDER BY number",
            (row["number"],),
        )
        with decoding("one Conversation"):
            return Conversation(
                id=row["id"],
                owner=row["owner"],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
                metadata=json.loads(row["metadata"]),
                messages=_load_messages(messages),
                note=load_note(row["upstream"]) if row["upstream"] and not row["spoilt"] else None,
                pending_turn=row["pending_turn"],
                response=row["response"],
            )

    @write_transaction
    def begin_turn(self, db: Connection, conversation_id: str, turn_id: str, *, at: float) -> bool:
        """Replacing another pending turn leaves the site's copy spoilt for good: that turn may still reach it."""
        return _update(
            db,
            "UPDATE conversations SET updated_at = MAX(updated_at, :at), pending_turn = :turn, "
            "spoilt = spoilt OR (pending_turn IS NOT NULL AND pending_turn <> :turn), "
            "crossed = crossed AND pending_turn IS :turn WHERE id = :id",
            {"id": conversation_id, "turn": turn_id, "at": at},
        )

    @write_transaction
    def abandon_turn(self, db: Connection, conversation_id: str, turn_id: str) -> None:
        db.execute(
            "UPDATE conversations SET pending_turn = NULL, crossed = 0 WHERE id = ? AND pending_turn = ?",
            (conversation_id, turn_id),
        )

    @write_transaction
    def commit_turn(self, db: Connection, conversation_id: str, result: TurnResult) -> bool:
        row = _find(db, conversation_id)
        if row is None:
            return False
        is_mine = row["pending_turn"] == result.turn_id
        is_alone = is_mine and not row["crossed"]
        if is_alone and result.history is not None:
            db.execute("DELETE FROM messages WHERE conversation = ?", (row["number"],))
            _reset_size(db, row["number"])
            _append(db, row["number"], result.history)
        _append(db, row["number"], result.added)
        note = result.note
        if note and (not is_alone or _continues_spoilt(row, note)):
            note = None
        pending_turn = None if is_mine else row["pending_turn"]
        db.execute(
            "UPDATE conversations SET updated_at = MAX(updated_at, ?), upstream = ?, spoilt = 0, pending_turn = ?, "
            "crossed = ? WHERE number = ?",
            (result.at, to_json(note) if note else None, pending_turn, pending_turn is not None, row["number"]),
        )
        return True

    @write_transaction
    def add_messages(self, db: Connection, conversation_id: str, messages: Sequence[Message], *, at: float) -> bool:
        row = _find(db, conversation_id)
        if row is None:
            return False
        _append(db, row["number"], messages)
        _mark_edited(db, row["number"], at)
        return True

    @write_transaction
    def delete_message(self, db: Connection, conversation_id: str, message_id: str, *, at: float) -> bool:
        row = _find(db, conversation_id)
        if row is None:
            return False
        deleted = db.execute(
            "DELETE FROM messages WHERE conversation = ? AND item = ? RETURNING role, text, images, item, tools",
            (row["number"], message_id),
        ).fetchone()
        if deleted is None:
            return False
        _add_size(db, row["number"], -stored_bytes(_load_messages([deleted])))
        _mark_edited(db, row["number"], at)
        return True

    @write_transaction
    def update_metadata(self, db: Connection, conversation_id: str, metadata: dict[str, str], *, at: float) -> bool:
        return _update(
            db,
            "UPDATE conversations SET metadata = :metadata, updated_at = MAX(updated_at, :at), "
            "bytes = bytes - LENGTH(metadata) + LENGTH(:metadata) WHERE id = :id",
            {"id": conversation_id, "metadata": json.dumps(metadata), "at": at},
        )

    @write_transaction
    def delete_conversation(self, db: Connection, conversation_id: str) -> bool:
        return _update(db, "DELETE FROM conversations WHERE id = :id", {"id": conversation_id})


def _find(db: Connection, conversation_id: str) -> Row | None:
    row: Row | None = db.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
    return row


def _update(db: Connection, statement: str, values: dict[str, object]) -> bool:
    return db.execute(statement, values).rowcount > 0


def _mark_edited(db: Connection, number: int, at: float) -> None:
    """Mark an edit of the messages: no copy of the site holds them now, and no pending turn has read them."""
    db.execute(
        "UPDATE conversations SET updated_at = MAX(updated_at, ?), upstream = NULL, crossed = pending_turn IS NOT NULL "
        "WHERE number = ?",
        (at, number),
    )


def _append(db: Connection, number: int, messages: Sequence[Message]) -> None:
    rows = [
        (
            number,
            message.role,
            message.text.encode("utf-8", "surrogatepass"),
            json.dumps(message.images),
            message.id,
            _dump_more(message) if message.calls or message.result or message.sources else "",
        )
        for message in messages
    ]
    db.executemany(
        "INSERT INTO messages (conversation, role, text, images, item, tools) VALUES (?, ?, ?, ?, ?, ?)", rows
    )
    _add_size(db, number, stored_bytes(messages))


def _reset_size(db: Connection, number: int) -> None:
    """Set the size of a conversation without messages. LENGTH counts characters, and metadata is ASCII."""
    db.execute(
        "UPDATE conversations SET bytes = ? + LENGTH(metadata) + LENGTH(CAST(response AS BLOB)) WHERE number = ?",
        (CONVERSATION_BYTES, number),
    )


def _add_size(db: Connection, number: int, size: int) -> None:
    db.execute("UPDATE conversations SET bytes = bytes + ? WHERE number = ?", (size, number))


def _dump_more(message: Message) -> str:
    more = {"calls": message.calls, "result": message.result, "thoughts": message.thoughts}
    return to_json({**more, "sources": message.sources} if message.sources else more)


def _load_messages(rows: Iterable[Row]) -> tuple[Message, ...]:
    plain = [
        {
            "role": role,
            "text": text.decode("utf-8", "surrogatepass"),
            "images": () if images == "[]" else json.loads(images),
            "id": item,
            **(json.loads(tools) if tools else {}),
        }
        for role, text, images, item, tools in rows
    ]
    return from_plain(tuple[Message, ...], plain)  # all at once: one by one takes three times as long


def _continues_spoilt(row: Row, note: Note) -> bool:
    """Whether *note* is of the copy that an uncommitted turn may have changed."""
    if not row["spoilt"] or row["upstream"] is None:
        return False
    return load_note(row["upstream"]).name == note.name
