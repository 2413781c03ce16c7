"""Turns and single messages of conversations in Redis."""

from collections.abc import Sequence

from shared.conversations import IMAGE_BYTES, MESSAGE_BYTES, Message, TurnResult, stored_bytes
from shared.serialization import to_json
from shared.store.redis.client import RedisMixin, Script
from shared.store.redis.conversations import APPEND, KEYS, dump_message, keys_of

REMEMBERED = 8  # turns and additions of a conversation that are recognised, and not repeated

_ONCE = f"""
    local function is_done(name)
        local done = cjson.decode(redis.call('HGET', conversation, 'done') or '[]')
        for _, earlier in ipairs(done) do
            if earlier == name then return true end
        end
        table.insert(done, 1, name)
        table.remove(done, {REMEMBERED + 1})
        redis.call('HSET', conversation, 'done', cjson.encode(done))
        return false
    end
"""

_BEGIN = Script(
    """
    if redis.call('EXISTS', conversation) == 0 then return 0 end
    local pending = redis.call('HGET', conversation, 'pending_turn')
    if pending ~= turn then
        -- The turn whose mark is taken over may still reach the site's copy.
        if pending then redis.call('HSET', conversation, 'spoilt', 1) end
        redis.call('HDEL', conversation, 'crossed')
    end
    redis.call('HSET', conversation, 'pending_turn', turn)
    redis.call('ZADD', conversations, 'GT', at, id)
    changed()
    return 1
    """,
    keys=KEYS,
    args="id turn at",
    is_idempotent=True,
)
_ABANDON = Script(
    """
    if redis.call('HGET', conversation, 'pending_turn') ~= turn then return end
    redis.call('HDEL', conversation, 'pending_turn', 'crossed')
    changed()
    """,
    keys=KEYS,
    args="turn",
    is_idempotent=True,
    allows_oom=True,
)
_COMMIT = Script(
    APPEND
    + _ONCE
    + """
    if redis.call('EXISTS', conversation) == 0 then return 0 end
    if is_done(turn) then return 1 end
    local pending = redis.call('HGET', conversation, 'pending_turn')
    local is_mine = pending == turn
    local is_alone = is_mine and not redis.call('HGET', conversation, 'crossed')
    local first_added = rest + history_count
    if is_alone and replaces == '1' then
        redis.call('DEL', messages)
        grow(-(tonumber(redis.call('HGET', conversation, 'bytes')) or 0))
        append(rest, first_added - 1, own_bytes() + history_bytes)
    end
    append(first_added, #ARGV, added_bytes)

    local is_spoilt = redis.call('HGET', conversation, 'spoilt') and redis.call('HGET', conversation, 'copy') == copy
    if upstream ~= '' and is_alone and not is_spoilt then
        redis.call('HSET', conversation, 'upstream', upstream, 'copy', copy)
    else
        redis.call('HDEL', conversation, 'upstream', 'copy')
    end
    redis.call('HDEL', conversation, 'spoilt')
    if is_mine then redis.call('HDEL', conversation, 'pending_turn', 'crossed') end
    if pending and not is_mine then redis.call('HSET', conversation, 'crossed', 1) end
    redis.call('ZADD', conversations, 'GT', at, id)
    changed()
    return 1
    """,
    keys=KEYS,
    args="id turn at upstream copy replaces history_count history_bytes added_bytes",
    is_idempotent=True,
)
_EDITED = """
    -- No copy of the site's holds the messages as they are now, and no turn under way has read them.
    local function edited()
        redis.call('HDEL', conversation, 'upstream', 'copy')
        if redis.call('HEXISTS', conversation, 'pending_turn') == 1 then
            redis.call('HSET', conversation, 'crossed', 1)
        end
        redis.call('ZADD', conversations, 'GT', at, id)
        changed()
    end
"""
_ADD = Script(
    APPEND
    + _ONCE
    + _EDITED
    + """
    if redis.call('EXISTS', conversation) == 0 then return 0 end
    if first_id ~= '' and is_done(first_id) then return 1 end
    append(rest, #ARGV, bytes)
    edited()
    return 1
    """,
    keys=KEYS,
    args="id at first_id bytes",
)
_DELETE = Script(
    APPEND
    + _EDITED
    + f"""
    if redis.call('EXISTS', conversation) == 0 then return 0 end
    for _, document in ipairs(redis.call('LRANGE', messages, 0, -1)) do
        local is_read, found = pcall(cjson.decode, document)
        if is_read and found.id == message_id then
            redis.call('LREM', messages, 1, document)
            local size = {MESSAGE_BYTES} + {IMAGE_BYTES} * #found.images + #found.text + #(found.thoughts or '')
            for _, call in ipairs(found.calls or {{}}) do
                size = size + {MESSAGE_BYTES} + #call.name + #call.arguments + #(call.signed or '')
            end
            for _, source in ipairs(found.sources or {{}}) do
                size = size + {MESSAGE_BYTES} + #source.url + #source.title
            end
            grow(-size)
            edited()
            return 1
        end
    end
    return 0
    """,
    keys=KEYS,
    args="id at message_id",
    allows_oom=True,
)


class TurnStore(RedisMixin):
    async def begin_turn(self, conversation_id: str, turn_id: str, *, at: float) -> bool:
        return bool(await self._run(_BEGIN, keys_of(conversation_id), conversation_id, turn_id, at))

    async def abandon_turn(self, conversation_id: str, turn_id: str) -> None:
        await self._run(_ABANDON, keys_of(conversation_id), turn_id)

    async def commit_turn(self, conversation_id: str, result: TurnResult) -> bool:
        """Idempotent: a turn that was committed before is not added again, so that this may be retried."""
        history, note = result.history or (), result.note
        is_there = await self._run(
            _COMMIT,
            keys_of(conversation_id),
            *(conversation_id, result.turn_id, result.at),
            *(to_json(note) if note else "", note.name if note else ""),
            *(int(result.history is not None), len(history), stored_bytes(history), stored_bytes(result.added)),
            *map(dump_message, (*history, *result.added)),
        )
        return bool(is_there)

    async def add_messages(self, conversation_id: str, messages: Sequence[Message], *, at: float) -> bool:
        """Idempotent, by the id of the first message."""
        documents = map(dump_message, messages)
        values = (conversation_id, at, messages[0].id if messages else "", stored_bytes(messages))
        return bool(await self._run(_ADD, keys_of(conversation_id), *values, *documents))

    async def delete_message(self, conversation_id: str, message_id: str, *, at: float) -> bool:
        return bool(await self._run(_DELETE, keys_of(conversation_id), conversation_id, at, message_id))
