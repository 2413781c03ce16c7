"""Failover: another Redis becomes the primary, and the old one stays up as a replica."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from shared.store import StoreUnavailable, open_store
from tests.ports import a_free_port
from tests.redis_server import RedisServer, running_redis
from tests.relay import relay
from tests.shared.samples import conversation, texts_of, turn

BACK_SECONDS = 1.0


async def test_a_failover_costs_one_call_and_loses_nothing_that_was_copied(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    """The address leads to the new primary; connections made before stand, to what is a replica now."""
    own_redis.command("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    with running_redis(tmp_path / "second", a_free_port(), "--replicaof", f"127.0.0.1 {own_redis.port}") as second:
        async with (
            relay(own_redis.port) as network,
            open_store(f"redis://127.0.0.1:{network.port}") as store,
            aclosing(store.watch()) as changes,
        ):
            await store.create_conversation(conversation("conv-1", "one"))
            await asyncio.gather(*(store.set_note(f"n{number}", "kept") for number in range(10)))
            await asyncio.to_thread(own_redis.command, "WAIT", 1, 10_000)
            second.command("REPLICAOF", "NO", "ONE")
            own_redis.command("REPLICAOF", "127.0.0.1", second.port)
            network.target = second.port

            with pytest.raises(StoreUnavailable, match="replica"):
                await store.commit_turn("conv-1", turn("t1", "two"))
            assert await store.commit_turn("conv-1", turn("t1", "two"))
            await asyncio.gather(*(store.set_note(f"n{number}", "new") for number in range(10)))
            own_redis.kill()
            async with open_store(second.url) as other:
                assert texts_of(await other.conversation("conv-1")) == ["one", "two"]
                assert await other.get_note("n9") == "new"
                await other.set_note("a", "news")
            while await store.get_note("a") != "news":
                async with asyncio.timeout(BACK_SECONDS):
                    await anext(changes)
