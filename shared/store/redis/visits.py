"""Visits, the claims on them and the asks for them in Redis.

A claim is a key with a time to live, so that Redis's clock alone decides when it ends, and not those of the
harvesters' machines.
"""

from dataclasses import replace
from math import ceil

from shared.models import VISIT_IN_PROGRESS, Visit, VisitAsk
from shared.serialization import to_json
from shared.store import KEPT_ASKS, KEPT_SCREENSHOTS, KEPT_VISITS, KEPT_VISITS_PER_SITE, MAX_CLOCK_SKEW
from shared.store.documents import decoding, load, skip_damaged
from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script

_ASK = Script(
    f"""
    if redis.call('LLEN', asks) < {KEPT_ASKS} then
        redis.call('RPUSH', asks, at .. ' 1 ' .. reason)
    else
        local count, first_reason = string.match(redis.call('LINDEX', asks, -1), '^%S+ (%d+) (.*)$')
        redis.call('LSET', asks, -1, at .. ' ' .. ((count or 0) + 1) .. ' ' .. (first_reason or reason))
    end
    changed()
    """,
    keys="asks",
    args="at reason",
)
_ASKS = Script("return redis.call('LRANGE', asks, 0, -1)", keys="asks", is_read_only=True)
_BEGIN = Script(
    """
    local stands = redis.call('GET', claim)
    if stands and stands ~= holder then return 0 end
    redis.call('SET', claim, holder, 'PX', milliseconds)
    changed()
    return 1
    """,
    keys="claim",
    args="holder milliseconds",
    is_idempotent=True,
    allows_oom=True,
)
_END = Script(
    f"""
    if redis.call('HEXISTS', records, id) == 0 then
        redis.call('LREM', visits, 0, id)
        redis.call('LPUSH', visits, id)
    end
    redis.call('HSET', records, id, record)
    redis.call('HDEL', screenshots, id)
    if screenshot ~= '' then redis.call('HSET', screenshots, id, screenshot) end
    local pictured, of_site = 0, {{}}
    for number, kept in ipairs(redis.call('LRANGE', visits, 0, -1)) do
        -- What was lost, or cannot be read, is of no site, and goes.
        local is_read, found = pcall(cjson.decode, redis.call('HGET', records, kept))
        local site = is_read and type(found) == 'table' and found.site
        if site then of_site[site] = (of_site[site] or 0) + 1 end
        if not site or (number > {KEPT_VISITS} and of_site[site] > {KEPT_VISITS_PER_SITE}) then
            redis.call('LREM', visits, -1, kept)
            redis.call('HDEL', records, kept)
            redis.call('HDEL', screenshots, kept)
        else
            pictured = pictured + redis.call('HEXISTS', screenshots, kept)
            if pictured > {KEPT_SCREENSHOTS} then redis.call('HDEL', screenshots, kept) end
        end
    end
    if redis.call('GET', claim) == holder then redis.call('DEL', claim) end
    if redis.call('HGET', notes, in_progress) == note then redis.call('HSET', notes, in_progress, '') end
    for _, ask in ipairs(redis.call('LRANGE', asks, 0, -1)) do
        local asked_at = tonumber(string.match(ask, '^%S+'))
        if not asked_at or asked_at <= tonumber(started_at) or asked_at > tonumber(latest) then
            redis.call('LREM', asks, 1, ask)
        end
    end
    changed()
    """,
    keys="visits records screenshots claim asks notes",
    args="id record started_at latest holder screenshot in_progress note",
    is_idempotent=True,
    allows_oom=True,
)
_VISITS = Script(
    """
    local found = {}
    for _, id in ipairs(redis.call('LRANGE', visits, 0, -1)) do
        table.insert(found, {redis.call('HGET', records, id), redis.call('HEXISTS', screenshots, id)})
    end
    return found
    """,
    keys="visits records screenshots",
    is_read_only=True,
)
_SCREENSHOT = Script("return redis.call('HGET', screenshots, id)", keys="screenshots", args="id", is_read_only=True)

_RECORDS = (schema.key("visits"), schema.key("visit-records"), schema.key("screenshots"))


class VisitStore(RedisMixin):
    async def ask_visit(self, site: str, reason: str, *, at: float) -> None:
        await self._run(_ASK, [schema.key("asks", site)], at, reason)

    async def pending_ask(self, site: str) -> VisitAsk | None:
        asks = skip_damaged(_ask, await self._run(_ASKS, [schema.key("asks", site)]))
        if not asks:
            return None
        asked_at, _, reason = asks[0]
        return VisitAsk(site=site, asked_at=asked_at, reason=reason, count=sum(count for _, count, _ in asks))

    async def begin_visit(self, site: str, holder: str, *, at: float, ttl: float) -> bool:
        return bool(await self._run(_BEGIN, [schema.key("claim", site)], holder, max(ceil(ttl * 1000), 1)))

    async def end_visit(self, visit: Visit, holder: str, *, note: str = "", screenshot: bytes | None = None) -> None:
        await self._run(
            _END,
            [*_RECORDS, schema.key("claim", visit.site), schema.key("asks", visit.site), schema.key("notes")],
            *(visit.id, to_json(visit), visit.started_at, visit.started_at + visit.seconds + MAX_CLOCK_SKEW),
            *(holder, screenshot or b"", VISIT_IN_PROGRESS.format(site=visit.site), note),
        )

    async def visits(self, site: str | None = None, *, limit: int = 50) -> list[Visit]:
        found = skip_damaged(_visit, await self._run(_VISITS, _RECORDS))
        return [visit for visit in found if site is None or visit.site == site][: max(limit, 0)]

    async def screenshot(self, visit_id: str) -> bytes | None:
        found: bytes | None = await self._run(_SCREENSHOT, [schema.key("screenshots")], visit_id)
        return found


def _ask(document: bytes) -> tuple[float, int, str]:
    with decoding("one ask for a visit"):
        at, count, reason = document.split(b" ", 2)
        return float(at), int(count), str(reason, "utf-8", "surrogatepass")


def _visit(entry: tuple[bytes, int]) -> Visit:
    record, has_screenshot = entry
    return replace(load(Visit, record), screenshot=bool(has_screenshot))
