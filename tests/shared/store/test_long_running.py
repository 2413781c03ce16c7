"""Stores over months: many sites, clocks set back, a server with full memory."""

import asyncio
from pathlib import Path

import pytest

from proxy.chat.upstream_copies import UpstreamCopies
from shared.admin.usage import UsageBatch, UsageGroup
from shared.conversations import Note
from shared.store import Store, StoreTooNew, StoreUnavailable, open_store
from shared.store.slots import Claim
from tests.redis_server import RedisServer
from tests.shared.samples import SITE, conversation, visit
from tests.shared.store.test_items import message
from tests.shared.store.test_keys import key

SITES = [f"https://{number}.example" for number in range(20)]
COPY = Note(name="c", value="{}")


async def test_each_site_keeps_its_own_last_visits_however_often_others_are_visited(store: Store) -> None:
    for number in range(12 * len(SITES)):
        await store.end_visit(visit(number, site=SITES[number % len(SITES)]), "one")

    for site in SITES:
        assert len(await store.visits(site, limit=10)) == 10
    assert len(await store.visits(limit=1000)) <= 50 + 10 * len(SITES)
    newest = await store.visits(SITES[3], limit=10)
    assert newest == [visit(number, site=SITES[3]) for number in range(223, 223 - 200, -20)]


async def test_a_message_without_text_is_taken_out_like_any_other(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", at=1.0))
    await store.add_messages("conv-1", (message("msg_a", ""), message("msg_b", "stays")), at=2.0)

    assert await store.delete_message("conv-1", "msg_a", at=3.0)

    found = await store.conversation("conv-1")
    assert found is not None
    assert [each.id for each in found.messages] == ["msg_b"]


async def test_requests_counted_before_the_clock_was_set_back_do_not_block_a_key(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/db") as store:
        for _ in range(5):
            await store.admit_requests("key_a", at=7200.0, rpm=5, tpd=None)

        assert (await store.key_counts("key_a", at=3600.0)).requests == 0
        assert (await store.admit_requests("key_a", at=3600.0, rpm=5, tpd=None)).is_admitted


async def test_a_claim_made_before_the_clock_was_set_back_blocks_no_visit(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/db") as store:
        assert await store.begin_visit(SITE, "gone", at=100_000.0, ttl=660.0)

        assert await store.begin_visit(SITE, "new", at=10_000.0, ttl=660.0)
        assert not await store.begin_visit(SITE, "third", at=10_000.0, ttl=660.0)


async def test_a_redis_that_is_full_still_reads_and_refuses_nothing_that_frees_some_or_needs_little(
    own_redis: RedisServer,
) -> None:
    async with open_store(own_redis.url) as store:
        for number in range(3):
            await store.create_conversation(conversation(f"conv-{number}", "text", at=float(number)))
        await store.add_messages("conv-0", [message("msg_a")], at=0.0)
        await store.begin_turn("conv-0", "t1", at=0.0)
        await store.add_copies([("old", COPY, 1.0), ("ahead", COPY, 10.0**9)])
        await store.add_key(key())
        [record] = await store.keys()
        await store.add_usage(UsageBatch("batch", {UsageGroup(0, record.id, "m", SITE): {"requests": 1}}))
        await store.acquire_slots(SITE, Claim("one", 0, 1, 0), limit=1, at=1.0)
        own_redis.command("CONFIG", "SET", "maxmemory", "1mb")

        with pytest.raises(StoreUnavailable, match="memory"):
            await store.create_conversation(conversation("conv-4", "text"))
        assert [await store.site_state(SITE), await store.identity(SITE), await store.pending_ask(SITE)] == [None] * 3
        assert [await store.visits(), await store.screenshot("none"), await store.get_note("a")] == [[], None, None]
        assert await store.conversation("conv-1") is not None
        assert await store.keys_version()
        assert (await store.key_counts(record.id, at=1.0)).requests == 0
        assert len(await store.usage(since=0.0, until=1.0)) == len(await store.keys()) == 1
        await store.abandon_turn("conv-0", "t1")
        assert await store.delete_message("conv-0", "msg_a", at=0.0)
        assert await store.delete_conversation("conv-0")
        assert await store.prune(before=10.0, max_bytes=10**9, now=11.0) == 2
        assert await store.prune_usage(before=10.0) == 1
        await store.release_slots(SITE, "one")
        await store.set_note("a", "1")
        assert await store.revoke_key(record.id, at=5.0)
        assert await store.take_copy("old") is None
        assert await store.take_copy("ahead") == COPY
        assert await store.begin_visit(SITE, "one", at=1.0, ttl=60.0)
        await store.end_visit(visit(1), "one")


class Slow:
    """A store whose writes take a moment, and fail if told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.kept: list[str] = []
        self.begun = asyncio.Event()

    async def add_copies(self, copies: list[tuple[str, Note, float]]) -> None:
        """Keep them, in a moment."""
        self.begun.set()
        await asyncio.sleep(0.05)
        if self.failures:
            raise self.failures.pop()
        self.kept += [history for history, _, _ in copies]


async def test_copies_in_flight_at_the_stop_are_stored_once() -> None:
    store = Slow()
    copies = UpstreamCopies(store)  # type: ignore[arg-type]  # it uses nothing else of a store
    copies.add("one", COPY)
    flushing = asyncio.create_task(copies.flush())
    await store.begun.wait()
    flushing.cancel()
    await asyncio.wait({flushing})
    await copies.flush()

    assert store.kept == ["one"]


async def test_copies_that_could_not_be_stored_are_kept_whatever_the_reason() -> None:
    store = Slow(StoreTooNew("a newer version wrote it"))
    copies = UpstreamCopies(store)  # type: ignore[arg-type]  # it uses nothing else of a store
    copies.add("one", COPY)
    with pytest.raises(StoreTooNew):
        await copies.flush()
    copies.add("two", COPY)
    await copies.flush()

    assert store.kept == ["one", "two"]
