"""Redis restarts, hangs, loses answers: every call ends in bounded time, nothing is done twice, all recovers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from time import monotonic

import pytest

from shared.store import StoreUnavailable, open_store
from shared.store.redis.changes import SILENCE_SECONDS
from shared.store.redis.client import CALL_SECONDS
from shared.store.redis.schema import VERSION
from tests.redis_server import RedisServer
from tests.relay import relay
from tests.shared.poll_counter import PollCounter
from tests.shared.samples import SITE, capture, conversation, texts_of, turn

BACK_SECONDS = 1.0  # after the server is there again
BUSY_SECONDS = 3.0  # what a busy machine may add to a bound, and less than another wait would


async def _change(changes: AsyncGenerator[None, None], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await anext(changes)


async def seconds_until_unavailable(call: Awaitable[object]) -> float:
    """The seconds until *call* says that the store cannot be used."""
    started = monotonic()
    with pytest.raises(StoreUnavailable):
        await call
    return monotonic() - started


async def test_what_was_acknowledged_is_there_after_a_crash_and_the_first_call_finds_it(
    own_redis: RedisServer,
) -> None:
    async with open_store(own_redis.url) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        await asyncio.gather(*(store.set_note(f"n{number}", "kept") for number in range(10)))
        own_redis.kill()
        assert await seconds_until_unavailable(store.commit_turn("conv-1", turn("t1", "two"))) < 1.0
        assert await seconds_until_unavailable(store.get_note("n9")) < 1.0
        own_redis.start()
        assert await store.get_note("n9") == "kept"
        assert await store.commit_turn("conv-1", turn("t1", "two"))
        assert texts_of(await store.conversation("conv-1")) == ["one", "two"]


async def test_a_server_restarted_while_nobody_asked_is_not_noticed(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        await asyncio.gather(*(store.set_note(f"n{number}", "kept") for number in range(10)))
        own_redis.kill()
        own_redis.start()
        for _ in range(3):  # the loop sees the connections' ends, of which the system knows since the kill
            await asyncio.sleep(0)
        for number in range(10):
            await store.ask_visit(SITE, "refused", at=float(number))
        ask = await store.pending_ask(SITE)
        assert ask is not None
        assert ask.count == 10


async def test_a_server_that_comes_back_empty_is_a_new_store(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        await store.save_capture(capture(), base=0)
        own_redis.command("FLUSHALL")
        assert await store.site_state(SITE) is None
        assert (await store.save_capture(capture(), base=0)).generation == 1
        assert own_redis.command("GET", "{freeaichat}:schema") == str(VERSION).encode()


async def test_while_the_server_hangs_every_call_ends_in_bounded_time_and_the_loop_goes_on(
    own_redis: RedisServer,
) -> None:
    async with open_store(own_redis.url) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        own_redis.pause()
        refusals = asyncio.gather(
            *(
                seconds_until_unavailable(call)
                for _ in range(40)
                for call in (
                    store.site_state(SITE),
                    store.begin_visit(SITE, "one", at=1.0, ttl=1.0),
                    store.conversation("conv-1"),
                    store.set_note("a", "1"),
                    store.prune(before=0.0, max_bytes=10**9),
                )
            )
        )
        turns = 0
        while not refusals.done():
            await asyncio.sleep(0.02)
            turns += 1
        assert max(refusals.result()) < CALL_SECONDS + BUSY_SECONDS
        assert turns > 100
        own_redis.resume()
        started = monotonic()
        assert texts_of(await store.conversation("conv-1")) == ["one"]
        assert monotonic() - started < BACK_SECONDS


async def test_a_hanging_server_keeps_nobody_from_opening_or_closing(own_redis: RedisServer) -> None:
    started = monotonic()
    async with open_store(own_redis.url) as store:
        await store.set_note("a", "1")
        own_redis.pause()
        await seconds_until_unavailable(_open(own_redis.url))
    assert monotonic() - started < CALL_SECONDS + BUSY_SECONDS
    own_redis.resume()


async def _open(url: str) -> None:
    async with open_store(url):
        pass


async def test_a_turn_that_was_refused_by_a_hanging_server_may_be_committed_again(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        await store.create_conversation(conversation("conv-1", "one"))
        await store.begin_turn("conv-1", "t1", at=1.0)
        own_redis.pause()
        await seconds_until_unavailable(store.commit_turn("conv-1", turn("t1", "two")))
        own_redis.resume()
        await store.begin_turn("conv-1", "t2", at=1.0)
        assert await store.commit_turn("conv-1", turn("t2", "three"))
        assert await store.commit_turn("conv-1", turn("t1", "two"))
        assert sorted(texts_of(await store.conversation("conv-1"))) == ["one", "three", "two"]


async def test_a_watcher_is_woken_when_the_server_goes_and_comes_back_and_hears_all_after(
    own_redis: RedisServer,
) -> None:
    async with open_store(own_redis.url) as store, aclosing(store.watch()) as changes:
        await _change(changes, 1.0)
        own_redis.kill()
        await _change(changes, 1.0)
        own_redis.start()
        await _change(changes, BACK_SECONDS)
        assert await store.get_note("a") is None
        await store.set_note("a", "1")
        await _change(changes, 1.0)


async def test_a_change_made_while_the_server_was_out_of_reach_is_noticed(own_redis: RedisServer) -> None:
    """A watcher whose connection broke hears of what others did meanwhile as soon as it is connected again."""
    async with (
        relay(own_redis.port) as network,
        open_store(own_redis.url) as other,
        open_store(f"redis://127.0.0.1:{network.port}") as store,
        aclosing(store.watch()) as changes,
    ):
        await _change(changes, 1.0)
        network.cut_answers(1)
        await other.set_note("a", "lost on its way")
        await _change(changes, BACK_SECONDS)
        while await store.get_note("a") != "lost on its way":
            await _change(changes, BACK_SECONDS)


async def test_a_watcher_notices_a_server_that_fell_silent(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store, aclosing(store.watch()) as changes:
        await _change(changes, 1.0)
        own_redis.pause()
        await _change(changes, 2 * SILENCE_SECONDS + 1.0)
        own_redis.resume()
        await _change(changes, CALL_SECONDS + BACK_SECONDS)


async def test_watching_begins_while_the_server_is_away(own_redis: RedisServer) -> None:
    async with open_store(own_redis.url) as store:
        own_redis.kill()
        async with aclosing(store.watch()) as changes:
            await _change(changes, 1.0)
            with pytest.raises(StoreUnavailable):
                await store.get_note("a")
            own_redis.start()
            await _change(changes, BACK_SECONDS)
            assert await store.get_note("a") is None


async def test_many_changes_wake_a_watcher_few_times(redis_server: RedisServer, polls: PollCounter) -> None:
    async with open_store(redis_server.url) as store, aclosing(store.watch()) as changes:
        await anext(changes)
        woken = 0

        async def count() -> None:
            nonlocal woken
            async for _ in changes:
                woken += 1

        counting = asyncio.create_task(count())
        started = monotonic()
        for number in range(500):
            await store.set_note("a", str(number))
        seconds = monotonic() - started
        await polls.wait_for_two()  # nothing is left to be told
        counting.cancel()
        await asyncio.wait({counting})
    assert 1 <= woken <= 2 + seconds / 0.05


async def test_a_cancelled_call_ends_wherever_it_was_and_takes_no_connection_with_it(redis_server: RedisServer) -> None:
    async with open_store(redis_server.url) as store:

        async def write_for_ever() -> None:
            while True:
                await store.set_note("a", "1")

        for steps in range(100):
            writing = asyncio.create_task(write_for_ever())
            for _ in range(steps):
                await asyncio.sleep(0)
            writing.cancel()
            done, _ = await asyncio.wait({writing}, timeout=1.0)
            assert done == {writing}, steps
        assert await store.get_note("a") == "1"
        connections = redis_server.command("CLIENT", "LIST", "TYPE", "normal")
    assert isinstance(connections, bytes)
    assert connections.count(b" addr=") < 5
