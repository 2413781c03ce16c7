"""Upstreams' copies of conversations that clients send whole, in Redis, where they are called branches."""

from collections.abc import Sequence

from shared.conversations import Note
from shared.serialization import to_json
from shared.store.documents import intact, load_note
from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script

REPEATED_SECONDS = 60  # how long a copy that was added and popped already is recognised

_PREFIX, _SEEN_PREFIX = schema.key("branch", ""), schema.key("branch-seen", "")
_ADD = Script(
    f"""
    for position = rest, #ARGV, 3 do
        local history, upstream, at = ARGV[position], ARGV[position + 1], ARGV[position + 2]
        local copies, copy = '{_PREFIX}' .. history, at .. ' ' .. upstream
        local seen = '{_SEEN_PREFIX}' .. redis.sha1hex(history .. copy)
        if not redis.call('ZSCORE', copies, copy) and redis.call('SET', seen, '', 'NX', 'EX', {REPEATED_SECONDS}) then
            local number = redis.call('INCR', last_number)
            redis.call('ZADD', copies, number, copy)
            redis.call('ZADD', branches, at, number .. ' ' .. history)
        end
    end
    changed()
    """,
    keys="branches last_number",
    is_idempotent=True,
)
_POP = Script(
    """
    local newest = redis.call('ZPOPMAX', copies)
    if not newest[1] then return end
    redis.call('ZREM', branches, newest[2] .. ' ' .. history)
    changed()
    return string.match(newest[1], '^%S+ (.*)$')
    """,
    keys="branches copies",
    args="history",
    allows_oom=True,
)


class CopyStore(RedisMixin):
    async def add_copies(self, copies: Sequence[tuple[str, Note, float]]) -> None:
        """Idempotent: a copy that was added before is not added again, so that this may be retried."""
        if copies:
            keys = [schema.key("branches"), schema.key("branch-number")]
            values = [value for history, note, at in copies for value in (history, to_json(note), at)]
            await self._run(_ADD, keys, *values)

    async def take_copy(self, history: str) -> Note | None:
        found = await self._run(_POP, [schema.key("branches"), schema.key("branch", history)], history)
        return intact(load_note, found)
