"""Slots on sites in Redis, by its own clock.

The script is `shared.store.slots.compute_share` in Lua, since only a script is atomic, however many proxies call it at
once. A test compares the two. A lease that has not changed is written again only after half of its time.
"""

from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script
from shared.store.slots import LEASE_SECONDS, SLICE_SECONDS, Claim, Share

_ACQUIRE = Script(
    f"""
    kept, demand, prefetch, limit = tonumber(kept), tonumber(demand), tonumber(prefetch), tonumber(limit)
    local time = redis.call('TIME')
    local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
    local others, requesters, held = {{}}, {{}}, ''
    local flat = redis.call('HGETALL', leases)
    for position = 1, #flat, 2 do
        local name, lease = flat[position], flat[position + 1]
        local slots, wanted, expires = string.match(lease, '^(%d+) (%d+) (%S+)$')
        -- A lease that expires too late was taken before the clock was set back.
        if not expires or tonumber(expires) <= now or tonumber(expires) > now + {2 * LEASE_SECONDS} then
            redis.call('HDEL', leases, name)
        elseif name ~= holder then
            table.insert(others, {{name = name, slots = tonumber(slots), demand = tonumber(wanted)}})
            if tonumber(wanted) > 0 then table.insert(requesters, name) end
        elseif tonumber(expires) > now + {LEASE_SECONDS / 2} then
            held = slots .. ' ' .. wanted
        end
    end
    if demand > 0 then table.insert(requesters, holder) end
    table.sort(requesters)
    local equal, rest, slice = math.floor(limit / #requesters), limit % #requesters, math.floor(now / {SLICE_SECONDS})
    local fair = {{}}
    for rank, name in ipairs(requesters) do
        fair[name] = equal + ((rank - 1 + slice) % #requesters < rest and 1 or 0)
    end
    local reserved, shortage, free = 0, 0, limit
    for _, each in ipairs(others) do
        reserved = reserved + math.max(each.slots, math.min(each.demand, fair[each.name] or 0))
        shortage = shortage + math.max(each.demand - each.slots, 0)
        free = free - each.slots
    end
    local entitled = math.max(limit - reserved, fair[holder] or 0)
    local target = demand
    if shortage == 0 then target = demand + prefetch end
    if #others == 0 then target = limit end
    local granted = math.max(kept, math.min(target, free, entitled))
    if held ~= granted .. ' ' .. demand then
        redis.call('HSET', leases, holder, string.format('%d %d %.3f', granted, demand, now + {LEASE_SECONDS}))
        redis.call('EXPIRE', leases, {2 * LEASE_SECONDS:.0f})
    end
    return {{granted, entitled, #others, shortage}}
    """,
    keys="leases",
    args="holder kept demand prefetch limit",
    is_idempotent=True,
)
_RELEASE = Script(
    "redis.call('HDEL', leases, holder)", keys="leases", args="holder", is_idempotent=True, allows_oom=True
)


class SlotStore(RedisMixin):
    async def acquire_slots(self, site: str, claim: Claim, *, limit: int, at: float) -> Share:
        return Share(*await self._run(_ACQUIRE, [schema.key("places", site)], *claim, limit))

    async def release_slots(self, site: str, holder: str) -> None:
        await self._run(_RELEASE, [schema.key("places", site)], holder)
