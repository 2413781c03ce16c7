"""Lost or damaged values in a store: raw errors never leave it, and the rest can be read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.admin.keys import NewKey, new_key
from shared.admin.usage import UsageBatch, UsageGroup
from shared.store import Store, StoreCorrupt, StoreError, documents, open_store
from shared.store.slots import Claim
from tests.redis_server import RedisServer
from tests.shared.samples import SITE, capture, conversation, note, turn, visit
from tests.shared.store import released

HOUR = 3600
GROUP, LATER = UsageGroup(0, "key", "m", "s"), UsageGroup(HOUR, "key", "m", "s")


async def fill(store: Store) -> None:
    """Store a value of every kind."""
    await released.fill(store)
    await store.begin_visit(SITE, "other", at=3.0, ttl=60)
    for number, name in enumerate(("one", "two")):
        await store.add_key(new_key(await store.key_secret(), NewKey(name, rpm=5, tpd=5), now=float(number))[1])
    batch = UsageBatch("1", {GROUP: {"requests": 1}, LATER: {"requests": 1}}, tokens={("key", 0): 1}, seen={"key": 1.0})
    await store.add_usage(batch)
    await store.admit_requests("key", at=1.0, rpm=5, tpd=5)
    await store.acquire_slots(SITE, Claim("me", 1, 1, 1), limit=4, at=1.0)


async def run_background_calls(store: Store) -> None:
    """Make the calls of background tasks, which must not fail."""
    await store.prune(before=0.0, now=500.0, max_bytes=10**9)
    await store.prune(before=400.0, now=500.0, max_bytes=0)
    await store.prune_usage(before=float(HOUR))
    await store.begin_visit(SITE, "other", at=5.0, ttl=60)
    await store.end_visit(visit(5), "other")
    assert "visit-5" in [each.id for each in await store.visits()]
    await store.pending_ask(SITE)
    await store.keys_version()
    await store.acquire_slots(SITE, Claim("me", 1, 1, 1), limit=4, at=1.0)


async def run_request_calls(store: Store) -> None:
    """What requests do; the store may say that it is damaged."""
    calls = (
        lambda: store.begin_turn("conv-1", "t", at=400.0),
        lambda: store.conversation("conv-1"),
        lambda: store.commit_turn("conv-1", turn("t", "x", history=())),
        lambda: store.delete_message("conv-1", "msg_none", at=400.0),
        lambda: store.update_metadata("conv-1", {"a": "b"}, at=400.0),
        lambda: store.take_copy("digest"),
        lambda: store.add_copies([("digest", note("copy-3"), 400.0)]),
        lambda: store.site_state(SITE),
        lambda: store.save_capture(capture("bbbbbbbbbb"), base=1),
        lambda: store.save_nonce(SITE, "cccccccccc", checked_at=1.0, base=2),
        lambda: store.ask_visit(SITE, "expired", at=400.0),
        store.keys,
        lambda: store.usage(since=0.0, until=10.0 * HOUR),
        lambda: store.add_usage(UsageBatch("2", {GROUP: {"requests": 1}}, tokens={("key", 0): 1}, seen={"key": 2.0})),
        lambda: store.admit_requests("key", at=1.0, rpm=5, tpd=5),
        lambda: store.get_note("a note"),
        lambda: store.delete_conversation("conv-1"),
    )
    for call in calls:
        try:
            await call()
        except StoreError:
            continue


async def filled_store_keys(redis_server: RedisServer) -> list[bytes]:
    redis_server.command("FLUSHALL")
    async with open_store(redis_server.url) as store:
        await fill(store)
    found = redis_server.command("KEYS", "*")
    assert isinstance(found, list)
    return sorted(found)


async def test_no_key_lost_by_redis_stops_the_background_work(redis_server: RedisServer) -> None:
    names = await filled_store_keys(redis_server)
    assert len(names) > 20
    for name in names:
        await filled_store_keys(redis_server)
        redis_server.command("DEL", name)
        async with open_store(redis_server.url) as store:
            await run_background_calls(store)
            await run_request_calls(store)
            await run_background_calls(store)


@pytest.mark.parametrize("command", [("SET", "nonsense"), ("HSET", "nonsense", "nonsense"), ("RPUSH", "nonsense")])
async def test_a_key_that_holds_something_else_is_reported_as_damage(
    redis_server: RedisServer, command: tuple[str, ...]
) -> None:
    verb, *values = command
    for name in await filled_store_keys(redis_server):
        await filled_store_keys(redis_server)
        redis_server.command("DEL", name)
        redis_server.command(verb, name, *values)
        try:
            async with open_store(redis_server.url) as store:
                await run_request_calls(store)
                await run_background_calls(store)
        except StoreError:
            continue


async def test_what_conversations_take_is_recounted_where_the_count_was_lost(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        for number in range(4):
            await store.create_conversation(conversation(f"conv-{number}", "x" * 1000, at=float(number)))
        await store.prune(before=0.0, max_bytes=10**9)
        redis_server.command("DEL", "{freeaichat}:conversation-bytes")
        await store.update_metadata("conv-3", {"a": "b"}, at=3.0)

        assert await store.prune(before=0.0, max_bytes=3000) == 2

        redis_server.command("DEL", "{freeaichat}:conversation:conv-2")  # counted, and gone
        assert await store.prune(before=0.0, max_bytes=2000) == 1
        assert await store.prune(before=0.0, max_bytes=2000) == 0
        assert await store.conversation("conv-3") is not None
        assert await store.prune(before=0.0, max_bytes=1000) == 1


async def test_a_conversation_whose_time_of_use_was_lost_gets_one_with_its_next_use(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await store.create_conversation(conversation("conv-1", "one", at=100.0))
        redis_server.command("DEL", "{freeaichat}:conversations")
        assert await store.conversation("conv-1") == conversation("conv-1", "one", at=100.0)
        await store.begin_turn("conv-1", "t", at=200.0)
        assert await store.prune(before=201.0, max_bytes=10**9) == 1


async def test_a_copy_that_cannot_be_read_is_skipped_in_redis_too(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        redis_server.command("ZADD", "{freeaichat}:branch:digest", 1, "100.0 {}")
        assert await store.take_copy("digest") is None


async def test_nonsense_in_redis_ends_neither_pruning_nor_what_follows_the_keys(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:
        await fill(store)
        redis_server.command("ZADD", "{freeaichat}:branches", 0, "nonsense")
        redis_server.command("SET", "{freeaichat}:api-keys-version", b"\xff")
        await run_background_calls(store)
        assert redis_server.command("ZSCORE", "{freeaichat}:branches", "nonsense") is None
        redis_server.command("HSET", "{freeaichat}:notes", "a", b"\xff")
        redis_server.command("HSET", f"{{freeaichat}}:site:{SITE}", "identity", b"\xff")
        for call in (store.get_note("a"), store.identity(SITE)):
            with pytest.raises(StoreCorrupt):
                await call


NONSENSE = (
    "UPDATE visits SET record = '{' WHERE id = 'visit-1'",
    "UPDATE usage SET counts = '[]' WHERE hour = 0",
    "UPDATE api_keys SET record = '{}' WHERE name = 'one'",
    "UPDATE branches SET upstream = '{}'",
    "UPDATE conversations SET metadata = '{' WHERE id = 'conv-1'",
)


async def filled(tmp_path: Path, *statements: str) -> str:
    path = tmp_path / "store.db"
    async with open_store(f"sqlite:///{path}") as store:
        await fill(store)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return f"sqlite:///{path}"


async def test_rows_that_cannot_be_read_are_skipped(tmp_path: Path) -> None:
    async with open_store(await filled(tmp_path, *NONSENSE)) as store:
        await store.end_visit(visit(5), "other")
        assert [each.id for each in await store.visits()] == ["visit-5"]
        assert [group for group, _ in await store.usage(since=0.0, until=10.0 * HOUR)] == [LATER]
        await store.add_usage(UsageBatch("2", {GROUP: {"requests": 2}}))
        assert (GROUP, {"requests": 2}) in await store.usage(since=0.0, until=10.0 * HOUR)
        assert [key.name for key in await store.keys()] == ["two"]
        assert await store.take_copy("digest") is None
        with pytest.raises(StoreCorrupt, match="one Conversation"):
            await store.conversation("conv-1")
        await run_request_calls(store)
        await run_background_calls(store)


async def test_skipped_damage_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    documents.log_skipped.cache_clear()
    async with open_store(await filled(tmp_path, NONSENSE[0])) as store:
        for _ in range(3):
            await store.visits()

    assert caplog.messages == ["the store is damaged: one Visit in it cannot be read; it is passed over"]


async def test_unreadable_keys_are_not_taken_for_no_keys(tmp_path: Path) -> None:
    """As long as there is no key, none is asked for."""
    async with open_store(await filled(tmp_path, "UPDATE api_keys SET record = '{}'")) as store:
        with pytest.raises(StoreCorrupt, match="ApiKey"):
            await store.keys()


async def test_a_table_that_is_gone_is_reported_as_damage(tmp_path: Path) -> None:
    async with open_store(await filled(tmp_path, "ALTER TABLE usage RENAME TO lost")) as store:
        with pytest.raises(StoreCorrupt, match="usage"):
            await store.prune_usage(before=1.0)
