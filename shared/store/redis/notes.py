"""Notes in Redis."""

from shared.store.documents import decoding
from shared.store.redis import schema
from shared.store.redis.client import RedisMixin, Script

_GET = Script("return redis.call('HGET', notes, name)", keys="notes", args="name", is_read_only=True)
_SET = Script(
    """
    if redis.call('HGET', notes, name) == value then return end
    redis.call('HSET', notes, name, value)
    changed()
    """,
    keys="notes",
    args="name value",
    is_idempotent=True,
    allows_oom=True,
)


class NoteStore(RedisMixin):
    async def get_note(self, key: str) -> str | None:
        value = await self._run(_GET, [schema.key("notes")], key)
        with decoding("a note"):
            return None if value is None else str(value, "utf-8", "surrogatepass")

    async def set_note(self, key: str, value: str) -> None:
        await self._run(_SET, [schema.key("notes")], key, value)
