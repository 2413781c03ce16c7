"""API keys in Redis, and the counters of limited ones.

The pepper under which keys are hashed is here too: all machines need the same one, and Redis is what they share.
"""

import secrets
from dataclasses import replace
from typing import Any

from shared.admin.keys import AHEAD_SECONDS, WINDOW_SECONDS, ApiKey, KeyCounts
from shared.admin.usage import day_of
from shared.serialization import to_json
from shared.store.documents import decoding, load, skip_damaged_unless_all
from shared.store.redis import schema
from shared.store.redis.client import ATTEMPTS, RedisMixin, Script

_SECRET = Script(
    """
    redis.call('SET', secret, fresh, 'NX')
    return redis.call('GET', secret)
    """,
    keys="secret",
    args="fresh",
    is_idempotent=True,
)
_ADD = Script(
    """
    local holder = redis.call('HGET', names, name)
    if holder then return holder == id and 1 or 0 end
    redis.call('HSET', names, name, id)
    redis.call('HSET', records, id, record)
    redis.call('SET', version, fresh)
    changed()
    return 1
    """,
    keys="names records version",
    args="name id record fresh",
    is_idempotent=True,
)
_KEYS = Script(
    "return {redis.call('HVALS', records), redis.call('HGETALL', used)}",
    keys="records used",
    is_read_only=True,
)
_VERSION = Script("return redis.call('GET', version)", keys="version", is_read_only=True)
_READ = Script("return redis.call('HGET', records, id)", keys="records", args="id", is_read_only=True)
_REPLACE = Script(
    """
    local stands = redis.call('HGET', records, id)
    if stands == record then return 1 end
    if stands ~= seen then return 0 end
    redis.call('HSET', records, id, record)
    if is_revoked == '1' and redis.call('HGET', names, name) == id then redis.call('HDEL', names, name) end
    redis.call('SET', version, fresh)
    changed()
    return 1
    """,
    keys="names records version",
    args="name id seen record is_revoked fresh",
    is_idempotent=True,
    allows_oom=True,
)
_COUNTS = f"""
    -- Seconds that are still to come were counted before the clock was set back.
    local before, latest = now - {WINDOW_SECONDS}, now + {AHEAD_SECONDS}
    local sum, oldest = 0, -1
    local seconds = redis.call('HGETALL', requests)
    for position = 1, #seconds, 2 do
        local second = tonumber(seconds[position])
        if second > before and second <= latest then
            sum = sum + tonumber(seconds[position + 1])
            if oldest < 0 or second < oldest then oldest = second end
        end
    end
    local used = tonumber(redis.call('GET', tokens) or '0')
"""
_READ_COUNTS = Script(
    _COUNTS + "return {0, sum, oldest, used}",
    keys="requests tokens",
    args="now",
    is_read_only=True,
)
_ADMIT = Script(
    _COUNTS
    + f"""
    if (rpm ~= '' and sum + tonumber(count) > tonumber(rpm)) or (tpd ~= '' and used >= tonumber(tpd)) then
        return {{0, sum, oldest, used}}
    end
    for position = 1, #seconds, 2 do
        local second = tonumber(seconds[position])
        if second <= before or second > latest then
            redis.call('HDEL', requests, seconds[position])
        end
    end
    redis.call('HINCRBY', requests, now, count)
    redis.call('EXPIRE', requests, {2 * WINDOW_SECONDS})
    if oldest < 0 or tonumber(now) < oldest then oldest = tonumber(now) end
    return {{1, sum + tonumber(count), oldest, used}}
    """,
    keys="requests tokens",
    args="now rpm tpd count",
)

_ALL = (schema.key("api-key-names"), schema.key("api-keys"), schema.key("api-keys-version"))


class KeyStore(RedisMixin):
    async def key_secret(self) -> bytes:
        found: bytes = await self._run(_SECRET, [schema.key("api-key-secret")], secrets.token_urlsafe(32))
        return found

    async def add_key(self, key: ApiKey) -> bool:
        return bool(await self._run(_ADD, _ALL, key.name, key.id, to_json(key), secrets.token_hex(8)))

    async def keys(self) -> list[ApiKey]:
        records, flat = await self._run(_KEYS, [schema.key("api-keys"), schema.key("api-keys-used")])
        with decoding("when keys were used"):
            used = {str(name, "utf-8"): float(at) for name, at in zip(flat[::2], flat[1::2], strict=True)}
        found = skip_damaged_unless_all(lambda record: load(ApiKey, record), records)
        found = [replace(each, last_used_at=used.get(each.id)) for each in found]
        return sorted(found, key=lambda each: (-each.created_at, each.id))

    async def keys_version(self) -> str:
        return str(await self._run(_VERSION, [schema.key("api-keys-version")]) or b"", "utf-8", "replace")

    async def revoke_key(self, key_id: str, *, at: float) -> bool:
        return await self._change(key_id, {"revoked_at": at})

    async def rotate_key(self, key_id: str, *, digest: str, hint: str) -> bool:
        return await self._change(key_id, {"digest": digest, "hint": hint})

    async def admit_requests(
        self, key_id: str, *, at: float, rpm: int | None, tpd: int | None, count: int = 1
    ) -> KeyCounts:
        limits = ("" if limit is None else limit for limit in (rpm, tpd))
        return _counts(await self._run(_ADMIT, _counter_keys(key_id, at), int(at), *limits, count))

    async def key_counts(self, key_id: str, *, at: float) -> KeyCounts:
        return _counts(await self._run(_READ_COUNTS, _counter_keys(key_id, at), int(at)))

    async def _change(self, key_id: str, update: dict[str, Any]) -> bool:
        for _ in range(ATTEMPTS):
            seen = await self._run(_READ, [schema.key("api-keys")], key_id)
            current = None if seen is None else load(ApiKey, seen)
            if current is None or current.revoked_at is not None:
                return False
            changed = replace(current, **update)
            is_revoked = int(changed.revoked_at is not None)
            values = (current.name, key_id, seen, to_json(changed), is_revoked, secrets.token_hex(8))
            if await self._run(_REPLACE, _ALL, *values):
                return True
        raise self._contention_error()


def _counter_keys(key_id: str, at: float) -> list[str]:
    return [schema.key("key-requests", key_id), schema.key("key-tokens", key_id, str(day_of(at)))]


def _counts(answer: list[int]) -> KeyCounts:
    is_admitted, requests, oldest, tokens = answer
    return KeyCounts(bool(is_admitted), requests, None if oldest < 0 else oldest, tokens)
