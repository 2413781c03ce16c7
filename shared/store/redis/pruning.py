"""Pruning of conversations and copies in Redis, in small scripts, so that none blocks it for long."""

from math import inf

from shared.store import MAX_COPIES
from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script

REDATED_AT_ONCE = 1000
COPIES_AT_ONCE = 1000
CONVERSATIONS_AT_ONCE = 50

_REDATE = Script(
    f"""
    local ahead = redis.call('ZRANGE', dated, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', 0, {REDATED_AT_ONCE})
    for _, member in ipairs(ahead) do redis.call('ZADD', dated, now, member) end
    return #ahead
    """,
    keys="dated",
    args="now",
    is_idempotent=True,
    allows_oom=True,
)
_CONVERSATION, _MESSAGES = schema.key("conversation", ""), schema.key("messages", "")
_CONVERSATIONS = Script(
    f"""
    local bytes = tonumber(redis.call('GET', total))
    if not bytes then
        bytes = 0
        for _, id in ipairs(redis.call('ZRANGE', conversations, 0, -1)) do
            local own = tonumber(redis.call('HGET', '{_CONVERSATION}' .. id, 'bytes'))
            if own then
                bytes = bytes + own
            else
                redis.call('UNLINK', '{_CONVERSATION}' .. id, '{_MESSAGES}' .. id)
                redis.call('ZREM', conversations, id)
            end
        end
        redis.call('SET', total, string.format('%.0f', bytes))
    end
    local oldest = redis.call('ZRANGE', conversations, 0, {CONVERSATIONS_AT_ONCE - 1}, 'WITHSCORES')
    local gone, is_lost = 0, false
    for number = 1, #oldest, 2 do
        if tonumber(oldest[number + 1]) >= tonumber(before) and bytes <= tonumber(max_bytes) then break end
        local conversation = '{_CONVERSATION}' .. oldest[number]
        local own = tonumber(redis.call('HGET', conversation, 'bytes'))
        bytes, is_lost = bytes - (own or 0), not own
        redis.call('UNLINK', conversation, '{_MESSAGES}' .. oldest[number])
        redis.call('ZREM', conversations, oldest[number])
        gone = gone + 1
        if is_lost then break end
    end
    if gone > 0 then
        redis.call('SET', total, string.format('%.0f', bytes))
        if is_lost then redis.call('DEL', total) end -- nobody knows how much of it what was lost counted for
        changed()
    end
    return gone
    """,
    keys="conversations total",
    args="before max_bytes",
    allows_oom=True,
)
_BRANCH = schema.key("branch", "")
_BRANCHES = Script(
    f"""
    local surplus = redis.call('ZCARD', branches) - most
    local oldest = redis.call('ZRANGE', branches, 0, {COPIES_AT_ONCE - 1}, 'WITHSCORES')
    local gone = 0
    for position = 1, #oldest, 2 do
        if tonumber(oldest[position + 1]) >= tonumber(before) and gone >= surplus then break end
        local number, history = string.match(oldest[position], '^(%d+) (.*)$')
        if history then redis.call('ZREMRANGEBYSCORE', '{_BRANCH}' .. history, number, number) end
        redis.call('ZREM', branches, oldest[position])
        gone = gone + 1
    end
    if gone > 0 then changed() end
    return gone
    """,
    keys="branches",
    args="before most",
    allows_oom=True,
)


class PruningStore(RedisMixin):
    async def prune(self, *, before: float, max_bytes: int, now: float = inf) -> int:
        conversations, branches = schema.key("conversations"), schema.key("branches")
        for dated in (conversations, branches):
            while await self._run(_REDATE, [dated], now):
                pass
        dropped = 0
        keys = [conversations, schema.key("conversation-bytes")]
        while count := await self._run(_CONVERSATIONS, keys, before, max_bytes):
            dropped += count
        while await self._run(_BRANCHES, [branches], before, MAX_COPIES):
            pass
        return dropped
