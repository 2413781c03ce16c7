"""Branches in Redis: the site's copies of conversations that clients carry themselves.

Each function does what the `Store` method of its name promises.
"""

from collections.abc import Sequence

from shared.conversations import Note
from shared.store.documents import dump, load
from shared.store.redis.schema import key
from shared.store.redis.server import Script, Server

MAX_BRANCHES = 100_000  # one takes some 600 bytes
PRUNED_AT_ONCE = 1000
REPEATED_SECONDS = 60  # so long a copy is known again that was kept and taken already

_KEEP = Script(
    """
    for position = rest, #ARGV, 3 do
        local history, upstream, at = ARGV[position], ARGV[position + 1], ARGV[position + 2]
        local copies, copy = prefix .. history, at .. ' ' .. upstream
        local seen = seen_prefix .. redis.sha1hex(history .. copy)
        if not redis.call('ZSCORE', copies, copy) and redis.call('SET', seen, '', 'NX', 'EX', seconds) then
            local number = redis.call('INCR', last_number)
            redis.call('ZADD', copies, number, copy)
            redis.call('ZADD', branches, at, number .. ' ' .. history)
        end
    end
    changed()
    """,
    keys="branches last_number",
    args="prefix seen_prefix seconds",
    is_repeatable=True,
)
_TAKE = Script(
    """
    local newest = redis.call('ZPOPMAX', copies)
    if not newest[1] then return end
    redis.call('ZREM', branches, newest[2] .. ' ' .. history)
    changed()
    return string.match(newest[1], '^%S+ (.*)$')
    """,
    keys="branches copies",
    args="history",
    is_frugal=True,
)
_PRUNE = Script(
    f"""
    local surplus = redis.call('ZCARD', branches) - most
    local oldest = redis.call('ZRANGE', branches, 0, {PRUNED_AT_ONCE - 1}, 'WITHSCORES')
    local gone = 0
    for position = 1, #oldest, 2 do
        if tonumber(oldest[position + 1]) >= tonumber(before) and gone >= surplus then break end
        local number, history = string.match(oldest[position], '^(%d+) (.*)$')
        redis.call('ZREMRANGEBYSCORE', prefix .. history, number, number)
        redis.call('ZREM', branches, oldest[position])
        gone = gone + 1
    end
    if gone > 0 then changed() end
    return gone
    """,
    keys="branches",
    args="before most prefix",
    is_frugal=True,
)


async def keep_branches(server: Server, branches: Sequence[tuple[str, Note, float]]) -> None:
    """A copy kept before is not kept again, so that this may be repeated where no answer came."""
    if branches:
        keys = [key("branches"), key("branch-number")]
        values = [value for history, note, at in branches for value in (history, dump(note), at)]
        await server.run(_KEEP, keys, key("branch", ""), key("branch-seen", ""), REPEATED_SECONDS, *values)


async def take_branch(server: Server, history: str) -> Note | None:
    found = await server.run(_TAKE, [key("branches"), key("branch", history)], history)
    return None if found is None else load(Note, found)


async def prune_some(server: Server, before: float) -> int:
    """Drop up to `PRUNED_AT_ONCE` branches that are too old or too many; how many went."""
    return int(await server.run(_PRUNE, [key("branches")], before, MAX_BRANCHES, key("branch", "")))
