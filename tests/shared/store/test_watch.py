"""What every store promises about watching it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from shared.admin.keys import ApiKey
from shared.admin.usage import UsageBatch, UsageGroup
from shared.conversations import Message
from shared.store import Store, open_store
from shared.store.changes import MIN_PAUSE, Changes
from shared.store.slots import Claim
from shared.store.sqlite.changes import PolledChanges
from tests.shared.poll_counter import PollCounter
from tests.shared.samples import SITE, capture, conversation, note, turn, visit


async def _change(changes: AsyncGenerator[None, None], seconds: float) -> None:
    """Wait for the next change, at most *seconds*. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        await anext(changes)


async def test_the_first_look_comes_at_once_and_then_nothing_without_a_change(store: Store, polls: PollCounter) -> None:
    await store.set_note("a", "1")
    async with aclosing(store.watch()) as changes:
        await _change(changes, 1.0)
        waiting = asyncio.create_task(anext(changes))
        await store.get_note("a")
        await store.set_note("a", "1")
        await store.mark_good(SITE, 1)
        # With each request, or every second:
        await store.admit_requests("key-1", at=1.0, rpm=9, tpd=None)
        await store.add_usage(UsageBatch("batch", {UsageGroup(0, "key-1", "m", SITE): {"requests": 1}}))
        await store.prune_usage(before=3600.0)
        await store.acquire_slots(SITE, Claim("one", 0, 1, 0), limit=1, at=1.0)
        await store.release_slots(SITE, "one")
        await polls.wait_for_two()
        assert not waiting.done()
        await store.set_note("a", "2")
        async with asyncio.timeout(1.0):
            await waiting


async def test_every_kind_of_write_wakes_the_watcher_at_once(store: Store) -> None:
    await store.create_conversation(conversation("conv-1"))
    writes = [
        store.save_capture(capture(), base=0),
        store.save_nonce(SITE, "bbbbbbbbbb", checked_at=1.0, base=1),
        store.mark_good(SITE, 2),
        store.ask_visit(SITE, "refused", at=1.0),
        store.begin_visit(SITE, "one", at=1.0, ttl=1.0),
        store.end_visit(visit(1), "one"),
        store.create_conversation(conversation("conv-2")),
        store.begin_turn("conv-1", "t1", at=1.0),
        store.commit_turn("conv-1", turn("t1", "hi")),
        store.begin_turn("conv-1", "t2", at=1.0),
        store.abandon_turn("conv-1", "t2"),
        store.add_messages("conv-1", [Message(role="user", text="hi", id="msg_a")], at=1.0),
        store.delete_message("conv-1", "msg_a", at=1.0),
        store.update_metadata("conv-1", {"a": "1"}, at=1.0),
        store.delete_conversation("conv-1"),
        store.prune(before=10**10, max_bytes=1),
        store.add_copies([("a", note("one"), 1.0), ("a", note("two"), 1.0)]),
        store.take_copy("a"),
        store.prune(before=10**10, max_bytes=1),
        store.add_key(ApiKey(id="key_1", name="app", digest="d", hint="h", created_at=1.0)),
        store.rotate_key("key_1", digest="e", hint="g"),
        store.revoke_key("key_1", at=1.0),
        store.set_note("a", "1"),
    ]
    async with aclosing(store.watch()) as changes:
        await anext(changes)
        for write in writes:
            await write
            await _change(changes, 1.0)


async def test_a_change_of_another_opener_is_seen_within_a_second_and_once(
    store: Store, store_url: str, polls: PollCounter
) -> None:
    async with open_store(store_url) as other, aclosing(store.watch()) as changes:
        await anext(changes)
        for number in range(5):
            await other.set_note("a", str(number))
            await _change(changes, 1.0)
            assert await store.get_note("a") == str(number)
        waiting = asyncio.create_task(anext(changes))
        await polls.wait_for_two()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_a_change_made_while_the_watcher_is_busy_is_not_missed(
    store: Store, store_url: str, polls: PollCounter
) -> None:
    async with open_store(store_url) as other, aclosing(store.watch()) as changes:
        await anext(changes)
        await store.set_note("a", "1")
        await _change(changes, 1.0)
        await store.set_note("a", "2")
        await store.set_note("a", "3")
        await _change(changes, 1.0)
        await other.set_note("a", "4")
        await polls.wait_for_two()
        await _change(changes, 1.0)


async def test_every_watcher_sees_every_change(store: Store, store_url: str) -> None:
    async def count(changes: AsyncGenerator[None, None], seen: list[int]) -> None:
        async for _ in changes:
            seen.append(int(await store.get_note("n") or 0))

    async def expect_all(value: int) -> None:
        async with asyncio.timeout(5):
            while not all(value in log for log in logs):
                await asyncio.sleep(0.01)

    logs: list[list[int]] = [[] for _ in range(5)]
    async with open_store(store_url) as other:
        tasks = [asyncio.create_task(count(store.watch(), log)) for log in logs]
        await expect_all(0)
        await store.set_note("n", "1")
        await expect_all(1)
        await other.set_note("n", "2")
        await expect_all(2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    assert all(sorted(set(log)) == [0, 1, 2] for log in logs), logs


async def test_a_write_whose_caller_gave_up_is_announced_all_the_same(store: Store) -> None:
    async with aclosing(store.watch()) as changes:
        await anext(changes)
        write = asyncio.create_task(store.set_note("a", "1"))
        await asyncio.sleep(0)
        write.cancel()
        is_announced = True
        try:
            await _change(changes, 0.5)
        except TimeoutError:
            is_announced = False
        assert is_announced == (await store.get_note("a") == "1")


async def test_closing_the_watchers_leaves_no_task_behind(store: Store) -> None:
    before = asyncio.all_tasks()
    async with aclosing(store.watch()) as one, aclosing(store.watch()) as two:
        await anext(one)
        await anext(two)
        assert len(asyncio.all_tasks() - before) == 1
        await one.aclose()
        assert len(asyncio.all_tasks() - before) == 1
    assert asyncio.all_tasks() == before


async def test_a_cancelled_watcher_leaves_no_task_behind(store: Store) -> None:
    before = asyncio.all_tasks()
    looked = asyncio.Event()

    async def consume() -> None:
        async with aclosing(store.watch()) as changes:
            async for _ in changes:
                looked.set()

    task = asyncio.create_task(consume())
    await asyncio.wait_for(looked.wait(), 5)  # and it waits for the next change
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert asyncio.all_tasks() == before


async def test_watching_again_after_the_last_watcher_left_works(store: Store, store_url: str) -> None:
    async with open_store(store_url) as other:
        for number in range(3):
            async with aclosing(store.watch()) as changes:
                await anext(changes)
                await other.set_note("a", str(number))
                await _change(changes, 1.0)


async def test_a_fault_in_following_others_is_reported_and_they_are_followed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults: list[Exception] = [ZeroDivisionError("a fault")]
    version = 0

    async def looked_up() -> tuple[int, ...]:
        if faults:
            raise faults.pop()
        return (version,)

    changes = PolledChanges(looked_up)
    async with aclosing(changes.watch()) as watched:
        await _change(watched, 1.0)
        await _change(watched, 1.0)  # what happened during the fault may have been missed
        version = 1
        await _change(watched, 1.0)  # and so may what happens before they are followed again
        await asyncio.sleep(MIN_PAUSE)
        version = 2
        await _change(watched, 1.0)
    assert "ZeroDivisionError: a fault" in caplog.text
    await changes.close()


class _SlowChanges(Changes):
    """Takes its time to begin, and to end."""

    def __init__(self, begins_after: float) -> None:
        super().__init__()
        self._begins_after = begins_after

    async def _follow(self) -> None:
        await asyncio.sleep(self._begins_after)
        self._is_following.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)


async def test_a_watcher_that_starts_while_the_last_one_leaves_hides_no_change_from_later_ones() -> None:
    changes = _SlowChanges(begins_after=0.0)
    first, second, third = changes.watch(), changes.watch(), changes.watch()
    await anext(first)
    leaving = asyncio.create_task(first.aclose())
    await asyncio.sleep(0)
    await _change(second, 1.0)
    await leaving
    await _change(third, 1.0)
    await changes.close()
    for watcher in (second, third):
        assert [change async for change in watcher] == []


async def test_closing_the_store_releases_those_who_wait_for_watching_to_begin() -> None:
    changes = _SlowChanges(begins_after=60.0)
    watcher = changes.watch()

    async def begin() -> None:
        async for _ in watcher:
            raise AssertionError("it never began")

    waiting = asyncio.create_task(begin())
    await asyncio.sleep(0)
    await changes.close()
    async with asyncio.timeout(1.0):
        await waiting
