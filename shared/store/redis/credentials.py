"""Credentials, bots and identities in Redis. Each function does what the `Store` method of its name promises."""

from shared.models import Capture, Credentials, SiteState
from shared.store import StaleWrite, StoreUnavailable
from shared.store.documents import dump, dump_bots, load, load_bots, renewed
from shared.store.redis.schema import key
from shared.store.redis.server import Script, Server

_ATTEMPTS = 10  # each fails only because somebody else has just written

_STATE = Script(
    "return redis.call('HMGET', site, 'current', 'last_good', 'bots')",
    keys="site",
    is_reading=True,
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
    is_repeatable=True,
)
_IDENTITY = Script("return redis.call('HGET', site, 'identity')", keys="site", is_reading=True)


async def site_state(server: Server, site: str) -> SiteState | None:
    current, last_good, bots = await server.run(_STATE, [key("site", site)])
    if current is None:
        return None
    return SiteState(
        current=load(Credentials, current),
        last_good=load(Credentials, last_good) if last_good is not None else None,
        bots=load_bots(bots),
    )


async def save_capture(server: Server, capture: Capture, base: int) -> Credentials:
    credentials = capture.credentials.model_copy(update={"generation": base + 1})
    is_saved, *current = await server.run(
        _SAVE_CAPTURE,
        [key("site", credentials.site)],
        *(base, credentials.generation, dump(credentials), dump_bots(capture.bots), capture.identity),
    )
    if not is_saved:
        raise StaleWrite(load(Credentials, current[0]) if current[0] is not None else None)
    return credentials


async def save_nonce(server: Server, site: str, nonce: str, checked_at: float, base: int) -> Credentials:
    for _ in range(_ATTEMPTS):
        seen, *_others = await server.run(_STATE, [key("site", site)])
        current = load(Credentials, seen) if seen is not None else None
        if current is None or current.generation != base:
            raise StaleWrite(current)
        following = renewed(current, nonce, checked_at)
        if await server.run(_REPLACE, [key("site", site)], seen, following.generation, dump(following)):
            return following
    raise StoreUnavailable(f"the store {server.shown} cannot be used just now: too many write to it at once")


async def mark_good(server: Server, site: str, generation: int) -> None:
    await server.run(_MARK_GOOD, [key("site", site)], generation)


async def identity(server: Server, site: str) -> str | None:
    found = await server.run(_IDENTITY, [key("site", site)])
    return None if found is None else str(found, "utf-8", "surrogatepass")
