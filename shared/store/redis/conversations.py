"""Conversations in Redis: a hash and a list of messages each. Turns are in `turns.py`."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from shared.conversations import CONVERSATION_BYTES, Conversation, Message, stored_bytes
from shared.serialization import from_plain, to_json, to_plain
from shared.store import StoreError
from shared.store.documents import decoding, load_note
from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script

KEYS = "conversation messages conversations total"  # what most scripts here and for turns use
APPEND = f"""
    local function own_bytes()
        local function length(field) return redis.call('HSTRLEN', conversation, field) end
        return {CONVERSATION_BYTES} + length('metadata') + length('response')
    end
    -- Where the total was lost it is counted anew, by pruning; nobody begins it from nothing meanwhile.
    local function grow(bytes)
        redis.call('HINCRBY', conversation, 'bytes', bytes)
        if redis.call('EXISTS', total) == 1 then redis.call('INCRBY', total, bytes) end
    end
    local function append(first, last, bytes)
        for number = first, last do redis.call('RPUSH', messages, ARGV[number]) end
        grow(bytes)
    end
"""

_CREATE = Script(
    APPEND
    + """
    local standing = redis.call('HGET', conversation, 'origin')
    if standing then return standing == origin and 1 or 0 end
    redis.call('HSET', conversation, 'origin', origin)
    redis.call('HSET', conversation, 'created_at', created_at, 'metadata', metadata, 'response', response)
    if upstream ~= '' then redis.call('HSET', conversation, 'upstream', upstream, 'copy', copy) end
    if pending_turn ~= '' then redis.call('HSET', conversation, 'pending_turn', pending_turn) end
    if owner ~= '' then redis.call('HSET', conversation, 'owner', owner) end
    redis.call('ZADD', conversations, updated_at, id)
    append(rest, #ARGV, own_bytes() + bytes)
    changed()
    return 1
    """,
    keys=KEYS,
    args="id owner origin created_at updated_at metadata response upstream copy pending_turn bytes",
    is_idempotent=True,
)
_READ = Script(
    """
    local fields = redis.call(
        'HMGET', conversation,
        'owner', 'created_at', 'metadata', 'response', 'upstream', 'spoilt', 'pending_turn'
    )
    return {fields, redis.call('ZSCORE', conversations, id), redis.call('LRANGE', messages, 0, -1)}
    """,
    keys=KEYS,
    args="id",
    is_read_only=True,
)
_UPDATE = Script(
    APPEND
    + """
    if redis.call('EXISTS', conversation) == 0 then return 0 end
    local growth = #metadata - redis.call('HSTRLEN', conversation, 'metadata')
    redis.call('HSET', conversation, 'metadata', metadata)
    grow(growth)
    redis.call('ZADD', conversations, 'GT', at, id)
    changed()
    return 1
    """,
    keys=KEYS,
    args="id metadata at",
    is_idempotent=True,
)
_DELETE = Script(
    """
    local is_there = redis.call('EXISTS', conversation) == 1
    local bytes = tonumber(redis.call('HGET', conversation, 'bytes'))
    redis.call('UNLINK', conversation, messages)
    redis.call('ZREM', conversations, id)
    if not is_there then return 0 end
    if bytes and redis.call('EXISTS', total) == 1 then redis.call('DECRBY', total, bytes) end
    changed()
    return 1
    """,
    keys=KEYS,
    args="id",
    allows_oom=True,
)


class ConversationStore(RedisMixin):
    async def create_conversation(self, conversation: Conversation) -> None:
        """Idempotent: the same conversation may be created again, so that this may be retried."""
        note = conversation.note
        origin = hashlib.blake2b(to_json(conversation).encode(), digest_size=16).hexdigest()
        is_new = await self._run(
            _CREATE,
            keys_of(conversation.id),
            *(conversation.id, conversation.owner, origin, conversation.created_at, conversation.updated_at),
            *(json.dumps(conversation.metadata), conversation.response),
            *(to_json(note) if note else "", note.name if note else ""),
            *(conversation.pending_turn or "", stored_bytes(conversation.messages)),
            *map(dump_message, conversation.messages),
        )
        if not is_new:
            raise StoreError(f"there is a conversation {conversation.id!r} already")

    async def conversation(self, conversation_id: str) -> Conversation | None:
        fields, updated_at, messages = await self._run(_READ, keys_of(conversation_id), conversation_id)
        owner, created_at, metadata, response, upstream, spoilt, pending_turn = fields
        if created_at is None:
            return None
        with decoding("one Conversation"):
            return Conversation(
                id=conversation_id,
                owner=(owner or b"").decode(),
                created_at=float(created_at),
                updated_at=float(updated_at or created_at),  # lost: the next use sets it
                metadata=json.loads(metadata),
                messages=_load_messages(messages),
                note=load_note(upstream) if upstream and not spoilt else None,
                pending_turn=pending_turn.decode() if pending_turn else None,
                response=str(response, "utf-8", "surrogatepass"),
            )

    async def update_metadata(self, conversation_id: str, metadata: dict[str, str], *, at: float) -> bool:
        values = (conversation_id, json.dumps(metadata), at)
        return bool(await self._run(_UPDATE, keys_of(conversation_id), *values))

    async def delete_conversation(self, conversation_id: str) -> bool:
        return bool(await self._run(_DELETE, keys_of(conversation_id), conversation_id))


def keys_of(conversation_id: str) -> list[str]:
    """The keys that `KEYS` names."""
    keys = schema.key("conversation", conversation_id), schema.key("messages", conversation_id)
    return [*keys, schema.key("conversations"), schema.key("conversation-bytes")]


def dump_message(message: Message) -> bytes:
    """*message* as JSON in UTF-8, which holds most scripts in half the bytes that escapes take; without its places."""
    text = json.dumps(to_plain(replace(message, places=())), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _load_messages(documents: Iterable[bytes]) -> tuple[Message, ...]:
    with decoding("one Message"):
        plain = [json.loads(str(document, "utf-8", "surrogatepass")) for document in documents]
        return from_plain(tuple[Message, ...], plain)  # all at once: one by one takes three times as long
