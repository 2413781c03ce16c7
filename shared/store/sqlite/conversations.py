"""Conversations in SQLite, one row for each message.

Each function does what the `Store` method of its name promises, inside a transaction of the caller's.
"""

import json
import sqlite3
from collections.abc import Sequence

from shared.conversations import CONVERSATION_BYTES, Conversation, Message, Note, TurnResult, stored_bytes
from shared.store import StoreError
from shared.store.documents import dump, load, reading

REDATED_AT_ONCE = 1000
PRUNED_AT_ONCE = 50  # conversations a transaction; other processes wait no longer than for these


def create(connection: sqlite3.Connection, conversation: Conversation) -> None:
    if _find(connection, conversation.id) is not None:
        raise StoreError(f"there is a conversation {conversation.id!r} already")
    connection.execute(
        "INSERT INTO conversations "
        "(id, owner, created_at, updated_at, metadata, upstream, pending_turn, response, bytes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            conversation.id,
            conversation.owner,
            conversation.created_at,
            conversation.updated_at,
            json.dumps(conversation.metadata),
            dump(conversation.note) if conversation.note else None,
            conversation.pending_turn,
            conversation.response,
        ),
    )
    number = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    _count_own(connection, number)
    _append(connection, number, conversation.messages)


def conversation(connection: sqlite3.Connection, conversation_id: str) -> Conversation | None:
    row = _find(connection, conversation_id)
    if row is None:
        return None
    with reading("one Conversation"):
        return _conversation(connection, row)


def _conversation(connection: sqlite3.Connection, row: sqlite3.Row) -> Conversation:
    messages = connection.execute(
        "SELECT role, text, images, item FROM messages WHERE conversation = ? ORDER BY number", (row["number"],)
    )
    return Conversation(
        id=row["id"],
        owner=row["owner"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        metadata=json.loads(row["metadata"]),
        messages=tuple(_message(message) for message in messages),
        note=load(Note, row["upstream"]) if row["upstream"] and not row["spoilt"] else None,
        pending_turn=row["pending_turn"],
        response=row["response"],
    )


def begin_turn(connection: sqlite3.Connection, conversation_id: str, turn_id: str, at: float) -> bool:
    """Taking over the mark of another turn leaves the site's copy spoilt for good: that turn may still reach it."""
    return _changed(
        connection,
        "UPDATE conversations SET updated_at = MAX(updated_at, :at), pending_turn = :turn, "
        "spoilt = spoilt OR (pending_turn IS NOT NULL AND pending_turn <> :turn), "
        "crossed = crossed AND pending_turn IS :turn WHERE id = :id",
        {"id": conversation_id, "turn": turn_id, "at": at},
    )


def abandon_turn(connection: sqlite3.Connection, conversation_id: str, turn_id: str) -> None:
    connection.execute(
        "UPDATE conversations SET pending_turn = NULL, crossed = 0 WHERE id = ? AND pending_turn = ?",
        (conversation_id, turn_id),
    )


def commit_turn(connection: sqlite3.Connection, conversation_id: str, result: TurnResult) -> bool:
    row = _find(connection, conversation_id)
    if row is None:
        return False
    is_mine = row["pending_turn"] == result.turn_id
    is_alone = is_mine and not row["crossed"]
    if is_alone and result.history is not None:
        connection.execute("DELETE FROM messages WHERE conversation = ?", (row["number"],))
        _count_own(connection, row["number"])
        _append(connection, row["number"], result.history)
    _append(connection, row["number"], result.added)
    note = result.note
    if note and (not is_alone or _continues_spoilt(row, note)):
        note = None
    pending_turn = None if is_mine else row["pending_turn"]
    connection.execute(
        "UPDATE conversations SET updated_at = MAX(updated_at, ?), upstream = ?, spoilt = 0, pending_turn = ?, "
        "crossed = ? WHERE number = ?",
        (result.at, dump(note) if note else None, pending_turn, pending_turn is not None, row["number"]),
    )
    return True


def add_messages(connection: sqlite3.Connection, conversation_id: str, messages: Sequence[Message], at: float) -> bool:
    row = _find(connection, conversation_id)
    if row is None:
        return False
    _append(connection, row["number"], messages)
    _edited(connection, row["number"], at)
    return True


def delete_message(connection: sqlite3.Connection, conversation_id: str, message_id: str, at: float) -> bool:
    row = _find(connection, conversation_id)
    gone = (
        row
        and connection.execute(
            "DELETE FROM messages WHERE conversation = ? AND item = ? RETURNING role, text, images, item",
            (row["number"], message_id),
        ).fetchone()
    )
    if not row or not gone:
        return False
    _count(connection, row["number"], -stored_bytes([_message(gone)]))
    _edited(connection, row["number"], at)
    return True


def update_metadata(connection: sqlite3.Connection, conversation_id: str, metadata: dict[str, str], at: float) -> bool:
    return _changed(
        connection,
        "UPDATE conversations SET metadata = :metadata, updated_at = MAX(updated_at, :at), "
        "bytes = bytes - LENGTH(metadata) + LENGTH(:metadata) WHERE id = :id",
        {"id": conversation_id, "metadata": json.dumps(metadata), "at": at},
    )


def delete(connection: sqlite3.Connection, conversation_id: str) -> bool:
    return _changed(connection, "DELETE FROM conversations WHERE id = :id", {"id": conversation_id})


def redate_some(connection: sqlite3.Connection, now: float) -> int:
    """Let some conversations that were touched later than *now* count as touched now; 0: none is left."""
    return connection.execute(
        "UPDATE conversations SET updated_at = ?1 WHERE number IN "
        "(SELECT number FROM conversations WHERE updated_at > ?1 LIMIT ?2)",
        (now, REDATED_AT_ONCE),
    ).rowcount


def prune_some(connection: sqlite3.Connection, before: float, max_bytes: int) -> int:
    """Drop at most `PRUNED_AT_ONCE` conversations of those that are to go; 0: none is left."""
    total = connection.execute("SELECT COALESCE(SUM(bytes), 0) FROM conversations").fetchone()[0]
    oldest = connection.execute(
        "SELECT number, updated_at, bytes FROM conversations ORDER BY updated_at, number LIMIT ?", (PRUNED_AT_ONCE,)
    ).fetchall()
    gone = 0
    for row in oldest:
        if row["updated_at"] >= before and total <= max_bytes:
            break
        connection.execute("DELETE FROM conversations WHERE number = ?", (row["number"],))
        total -= row["bytes"]
        gone += 1
    return gone


def _find(connection: sqlite3.Connection, conversation_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM conversations WHERE id = ?", (conversation_id,)
    ).fetchone()
    return row


def _changed(connection: sqlite3.Connection, statement: str, values: dict[str, object]) -> bool:
    return connection.execute(statement, values).rowcount > 0


def _edited(connection: sqlite3.Connection, number: int, at: float) -> None:
    """The messages were changed by hand: no copy of the site's holds them, and no turn under way has read them."""
    connection.execute(
        "UPDATE conversations SET updated_at = MAX(updated_at, ?), upstream = NULL, crossed = pending_turn IS NOT NULL "
        "WHERE number = ?",
        (at, number),
    )


def _append(connection: sqlite3.Connection, number: int, messages: Sequence[Message]) -> None:
    rows = [
        (number, message.role, message.text.encode("utf-8", "surrogatepass"), json.dumps(message.images), message.id)
        for message in messages
    ]
    connection.executemany("INSERT INTO messages (conversation, role, text, images, item) VALUES (?, ?, ?, ?, ?)", rows)
    _count(connection, number, stored_bytes(messages))


def _count_own(connection: sqlite3.Connection, number: int) -> None:
    """Count what a conversation takes without its messages."""
    connection.execute(
        "UPDATE conversations SET bytes = ? + LENGTH(metadata) + LENGTH(response) WHERE number = ?",
        (CONVERSATION_BYTES, number),
    )


def _count(connection: sqlite3.Connection, number: int, size: int) -> None:
    connection.execute("UPDATE conversations SET bytes = bytes + ? WHERE number = ?", (size, number))


def _message(row: sqlite3.Row) -> Message:
    return Message(
        role=row["role"],
        text=row["text"].decode("utf-8", "surrogatepass"),
        images=tuple(json.loads(row["images"])),
        id=row["item"],
    )


def _continues_spoilt(row: sqlite3.Row, note: Note) -> bool:
    """Whether *note* is of the very copy that a turn without a commit may have touched."""
    if not row["spoilt"] or row["upstream"] is None:
        return False
    return load(Note, row["upstream"]).name == note.name
