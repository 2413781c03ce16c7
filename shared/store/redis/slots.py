"""Slots on sites in Redis, by its own clock.

The script is `shared.store.slots.compute_share` in Lua, since only a script is atomic, however many proxies call it at
once. A test compares the two. What did not change is
not written again before half of its lease is over.
"""

from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script
from shared.store.slots import LEASE_SECONDS, SLICE_SECONDS, Claim, Share

_TAKE = Script(
    f"""
    kept, demand, spare, most = tonumber(kept), tonumber(demand), tonumber(spare), tonumber(most)
    local time = redis.call('TIME')
    local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
    local others, asking, mine = {{}}, {{}}, ''
    local flat = redis.call('HGETALL', rows)
    for position = 1, #flat, 2 do
        local name, row = flat[position], flat[position + 1]
        local slots, wants, ends = string.match(row, '^(%d+) (%d+) (%S+)$')
        -- A lease that ends too late was taken before the clock was set back.
        if not ends or tonumber(ends) <= now or tonumber(ends) > now + {2 * LEASE_SECONDS} then
            redis.call('HDEL', rows, name)
        elseif name ~= holder then
            table.insert(others, {{name = name, slots = tonumber(slots), demand = tonumber(wants)}})
            if tonumber(wants) > 0 then table.insert(asking, name) end
        elseif tonumber(ends) > now + {LEASE_SECONDS / 2} then
            mine = slots .. ' ' .. wants
        end
    end
    if demand > 0 then table.insert(asking, holder) end
    table.sort(asking)
    local equal, rest, slice = math.floor(most / #asking), most % #asking, math.floor(now / {SLICE_SECONDS})
    local fair = {{}}
    for rank, name in ipairs(asking) do
        fair[name] = equal + ((rank - 1 + slice) % #asking < rest and 1 or 0)
    end
    local reserved, wanted, free = 0, 0, most
    for _, each in ipairs(others) do
        reserved = reserved + math.max(each.slots, math.min(each.demand, fair[each.name] or 0))
        wanted = wanted + math.max(each.demand - each.slots, 0)
        free = free - each.slots
    end
    local entitled = math.max(most - reserved, fair[holder] or 0)
    local goal = demand
    if wanted == 0 then goal = demand + spare end
    if #others == 0 then goal = most end
    local given = math.max(kept, math.min(goal, free, entitled))
    if mine ~= given .. ' ' .. demand then
        redis.call('HSET', rows, holder, string.format('%d %d %.3f', given, demand, now + {LEASE_SECONDS}))
        redis.call('EXPIRE', rows, {2 * LEASE_SECONDS:.0f})
    end
    return {{given, entitled, #others, wanted}}
    """,
    keys="rows",
    args="holder kept demand spare most",
    is_idempotent=True,
)
_LEAVE = Script("redis.call('HDEL', rows, holder)", keys="rows", args="holder", is_idempotent=True, allows_oom=True)


class SlotStore(RedisMixin):
    async def acquire_slots(self, site: str, claim: Claim, *, limit: int, at: float) -> Share:
        return Share(*await self._run(_TAKE, [schema.key("places", site)], *claim, limit))

    async def release_slots(self, site: str, holder: str) -> None:
        await self._run(_LEAVE, [schema.key("places", site)], holder)
