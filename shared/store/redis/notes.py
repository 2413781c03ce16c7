"""Notes in Redis. Each function does what the `Store` method of its name promises."""

from shared.store.redis.schema import key
from shared.store.redis.server import Script, Server

_GET = Script("return redis.call('HGET', notes, name)", keys="notes", args="name", is_reading=True)
_SET = Script(
    """
    if redis.call('HGET', notes, name) == value then return end
    redis.call('HSET', notes, name, value)
    changed()
    """,
    keys="notes",
    args="name value",
    is_repeatable=True,
    is_frugal=True,
)


async def get_note(server: Server, name: str) -> str | None:
    value = await server.run(_GET, [key("notes")], name)
    return None if value is None else str(value, "utf-8", "surrogatepass")


async def set_note(server: Server, name: str, value: str) -> None:
    await server.run(_SET, [key("notes")], name, value)
