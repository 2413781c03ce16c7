"""Credentials, bots and identities in Redis."""

from dataclasses import replace

from shared.models import Capture, Credentials, SiteState
from shared.serialization import to_json
from shared.store import StaleWrite
from shared.store.documents import decoding, load, load_bots, with_nonce
from shared.store.redis import schema
from shared.store.redis.client import ATTEMPTS, RedisMixin, Script

_STATE = Script(
    "return redis.call('HMGET', site, 'current', 'last_good', 'bots')",
    keys="site",
    is_read_only=True,
)
_SAVE_CAPTURE = Script(
    """
    if (redis.call('HGET', site, 'generation') or '0') ~= base then
        return {0, redis.call('HGET', site, 'current')}
    end
    redis.call('HSET', site, 'generation', generation, 'current', current, 'bots', bots, 'identity', identity)
    changed()
    return {1}
    """,
    keys="site",
    args="base generation current bots identity",
)
_REPLACE = Script(
    """
    if redis.call('HGET', site, 'current') ~= seen then return 0 end
    redis.call('HSET', site, 'generation', generation, 'current', current)
    if redis.call('HGET', site, 'good_generation') == generation then
        redis.call('HSET', site, 'last_good', current)
    end
    changed()
    return 1
    """,
    keys="site",
    args="seen generation current",
)
_MARK_GOOD = Script(
    """
    if redis.call('HGET', site, 'generation') ~= generation then return end
    if redis.call('HGET', site, 'good_generation') == generation then return end
    redis.call('HSET', site, 'last_good', redis.call('HGET', site, 'current'), 'good_generation', generation)
    changed()
    """,
    keys="site",
    args="generation",
    is_idempotent=True,
)
_IDENTITY = Script("return redis.call('HGET', site, 'identity')", keys="site", is_read_only=True)


class CredentialStore(RedisMixin):
    async def site_state(self, site: str) -> SiteState | None:
        current, last_good, bots = await self._run(_STATE, [schema.key("site", site)])
        if current is None:
            return None
        return SiteState(
            current=load(Credentials, current),
            last_good=load(Credentials, last_good) if last_good is not None else None,
            bots=load_bots(bots),
        )

    async def save_capture(self, capture: Capture, *, base: int) -> Credentials:
        credentials = replace(capture.credentials, generation=base + 1)
        is_saved, *current = await self._run(
            _SAVE_CAPTURE,
            [schema.key("site", credentials.site)],
            *(base, credentials.generation, to_json(credentials), to_json(capture.bots), capture.identity),
        )
        if not is_saved:
            raise StaleWrite(load(Credentials, current[0]) if current[0] is not None else None)
        return credentials

    async def save_nonce(self, site: str, nonce: str, *, checked_at: float, base: int) -> Credentials:
        for _ in range(ATTEMPTS):
            seen, *_others = await self._run(_STATE, [schema.key("site", site)])
            current = load(Credentials, seen) if seen is not None else None
            if current is None or current.generation != base:
                raise StaleWrite(current)
            following = with_nonce(current, nonce, checked_at)
            if await self._run(_REPLACE, [schema.key("site", site)], seen, following.generation, to_json(following)):
                return following
        raise self._contention_error()

    async def mark_good(self, site: str, generation: int) -> None:
        await self._run(_MARK_GOOD, [schema.key("site", site)], generation)

    async def identity(self, site: str) -> str | None:
        found = await self._run(_IDENTITY, [schema.key("site", site)])
        with decoding("an identity"):
            return None if found is None else str(found, "utf-8", "surrogatepass")
