"""Usage in Redis.

Every hour, key, model and site has a hash of counts; a sorted set lists them by hour.
"""

import json
from math import inf

from shared.admin.usage import Counters, UsageBatch, UsageGroup
from shared.store.documents import decoding, skip_damaged
from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script

REPEATED_SECONDS = 3600  # how long a batch is recognised
TOKENS_SECONDS = 2 * 86400
AT_ONCE = 500  # groups read or dropped by one script

_USAGE, _TOKENS = schema.key("usage", ""), schema.key("key-tokens", "")

_ADD = Script(
    f"""
    if not redis.call('SET', seen, '', 'NX', 'EX', {REPEATED_SECONDS}) then return end
    local position = rest
    local function following() position = position + 1 return ARGV[position - 1] end
    for _ = 1, tonumber(following()) do
        local name, hour = following(), following()
        redis.call('ZADD', groups, hour, name)
        for _ = 1, tonumber(following()) do
            local counter = following()
            redis.call('HINCRBY', '{_USAGE}' .. name, counter, following())
        end
    end
    for _ = 1, tonumber(following()) do
        local tokens = '{_TOKENS}' .. following()
        redis.call('INCRBY', tokens, following())
        redis.call('EXPIRE', tokens, {TOKENS_SECONDS})
    end
    for _ = 1, tonumber(following()) do
        local id, at = following(), following()
        if tonumber(redis.call('HGET', used, id) or '0') < tonumber(at) then redis.call('HSET', used, id, at) end
    end
    """,
    keys="groups used seen",
    is_idempotent=True,
)
_NAMES = Script(
    "return redis.call('ZRANGE', groups, since, until_, 'BYSCORE')",
    keys="groups",
    args="since until_",
    is_read_only=True,
)
_READ = Script(
    f"""
    local found = {{}}
    for position = rest, #ARGV do table.insert(found, redis.call('HGETALL', '{_USAGE}' .. ARGV[position])) end
    return found
    """,
    is_read_only=True,
)
_PRUNE = Script(
    f"""
    local gone = redis.call('ZRANGE', groups, '-inf', '(' .. before, 'BYSCORE', 'LIMIT', 0, {AT_ONCE})
    if not gone[1] then
        gone = redis.call('ZRANGE', groups, '(' .. after, '+inf', 'BYSCORE', 'LIMIT', 0, {AT_ONCE})
    end
    for _, name in ipairs(gone) do
        redis.call('DEL', '{_USAGE}' .. name)
        redis.call('ZREM', groups, name)
    end
    return #gone
    """,
    keys="groups",
    args="before after",
    is_idempotent=True,
    allows_oom=True,
)


class UsageStore(RedisMixin):
    async def add_usage(self, batch: UsageBatch) -> None:
        values: list[str | int | float] = [len(batch.groups)]
        for group, counters in batch.groups.items():
            values += (json.dumps(group), group.hour, len(counters))
            values += (value for pair in counters.items() for value in pair)
        values.append(len(batch.tokens))
        values += (value for (name, day), count in batch.tokens.items() for value in (f"{name}:{day}", count))
        values.append(len(batch.seen))
        values += (value for pair in batch.seen.items() for value in pair)
        keys = [schema.key("usage"), schema.key("api-keys-used"), schema.key("usage-seen", batch.id)]
        await self._run(_ADD, keys, *values)

    async def usage(self, *, since: float, until: float) -> list[tuple[UsageGroup, Counters]]:
        """In many scripts, so that none keeps Redis busy for long."""
        names = await self._run(_NAMES, [schema.key("usage")], since, f"({until}")
        found: list[tuple[UsageGroup, Counters]] = []
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            hashes = await self._run(_READ, [], *some)
            found += skip_damaged(_read, zip(some, hashes, strict=True))
        return found

    async def prune_usage(self, *, before: float, after: float = inf) -> int:
        """In many scripts, so that none keeps Redis busy for long."""
        dropped = 0
        while count := await self._run(_PRUNE, [schema.key("usage")], before, after):
            dropped += count
        return dropped


def _read(entry: tuple[bytes, list[bytes]]) -> tuple[UsageGroup, Counters]:
    name, flat = entry
    with decoding("some usage"):
        counters = {str(counter, "utf-8"): int(count) for counter, count in zip(flat[::2], flat[1::2], strict=True)}
        return UsageGroup(*json.loads(name)), counters
