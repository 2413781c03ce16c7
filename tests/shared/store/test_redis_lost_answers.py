"""Redis carries a call out, and the answer is lost: the call is made again only where that does nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.admin.keys import ApiKey
from shared.admin.usage import UsageBatch, UsageGroup
from shared.conversations import Message
from shared.store import Store, StoreError, StoreUnavailable, open_store
from shared.store.redis.client import RedisClient, Script
from shared.store.slots import Claim
from tests.redis_server import RedisServer
from tests.relay import relay
from tests.shared.samples import SITE, capture, conversation, note, texts_of, turn, visit
from tests.shared.store.test_redis_faults import seconds_until_unavailable

GROUP = UsageGroup(0, "key_1", "m", SITE)


@pytest.fixture
async def losing(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """An open store in the same Redis, which carries out what writes, but the first answer to each is lost."""
    async with relay(redis_server.port) as network:
        run = RedisClient.run

        async def losing_run(client: RedisClient, script: Script, keys: Sequence[str] = (), *args: Any) -> Any:
            if not script.is_read_only and client.shown.endswith(str(network.port)):
                await client._client.script_load(script.text)  # or the first answer would only be that it is not known
                network.cut_answers(1)
            return await run(client, script, keys, *args)

        monkeypatch.setattr(RedisClient, "run", losing_run)
        async with open_store(f"redis://127.0.0.1:{network.port}") as store:
            yield store


async def test_what_may_be_done_twice_is_and_nothing_of_it_is_there_twice(
    redis_server: RedisServer, losing: Store
) -> None:
    async with open_store(redis_server.url) as store:
        await store.save_capture(capture(), base=0)
        await losing.mark_good(SITE, 1)
        await losing.set_note("a", "1")
        assert await losing.begin_visit(SITE, "one", at=1.0, ttl=60.0)
        await losing.end_visit(visit(1), "one", screenshot=b"png")
        assert (await losing.acquire_slots(SITE, Claim("one", 0, 1, 0), limit=3, at=1.0)).slots == 3
        await losing.release_slots(SITE, "one")
        await losing.create_conversation(conversation("conv-1", "one"))
        assert await losing.begin_turn("conv-1", "t1", at=1.0)
        await losing.abandon_turn("conv-1", "t1")
        assert await losing.begin_turn("conv-1", "t2", at=1.0)
        assert await losing.commit_turn("conv-1", turn("t2", "two"))
        assert await losing.update_metadata("conv-1", {"a": "1"}, at=1.0)
        await losing.add_copies([("a", note(), 1.0)])
        assert await losing.key_secret() == await store.key_secret()
        assert await losing.add_key(ApiKey(id="key_1", name="app", digest="d", hint="h", created_at=1.0))
        assert await losing.rotate_key("key_1", digest="e", hint="g")
        assert await losing.revoke_key("key_1", at=1.0)
        await losing.add_usage(UsageBatch("batch", {GROUP: {"requests": 1}}, {("key_1", 0): 7}))

        state = await store.site_state(SITE)
        assert state is not None
        assert state.last_good == state.current
        assert await store.get_note("a") == "1"
        assert await store.visits() == [replace(visit(1), screenshot=True)]
        assert (await store.acquire_slots(SITE, Claim("two", 0, 1, 0), limit=3, at=1.0)).others == 0
        found = await store.conversation("conv-1")
        assert texts_of(found) == ["one", "two"]
        assert found is not None
        assert (found.pending_turn, found.note, found.metadata) == (None, note(), {"a": "1"})
        assert [await store.take_copy("a") for _ in range(2)] == [note(), None]
        [key] = await store.keys()
        assert (key.digest, key.revoked_at) == ("e", 1.0)
        assert await store.usage(since=0.0, until=1.0) == [(GROUP, {"requests": 1})]
        assert (await store.key_counts("key_1", at=1.0)).tokens == 7
        await losing.prune_usage(before=1.0)
        assert await store.usage(since=0.0, until=1.0) == []


async def test_what_would_do_harm_twice_is_done_once_and_the_caller_is_told(
    redis_server: RedisServer, losing: Store
) -> None:
    async with open_store(redis_server.url) as store:
        await store.create_conversation(replace(conversation("conv-1"), messages=(message("a"), message("b"))))
        await store.add_copies([("a", note("one"), 1.0), ("a", note("two"), 2.0)])
        for call in (
            losing.save_capture(capture(), base=0),
            losing.save_nonce(SITE, "bbbbbbbbbb", checked_at=2.0, base=1),
            losing.ask_visit(SITE, "refused", at=1.0),
            losing.take_copy("a"),
            losing.delete_message("conv-1", "msg_a", at=1.0),
            losing.admit_requests("key_1", at=1.0, rpm=9, tpd=None),
        ):
            with pytest.raises(StoreUnavailable):
                await call

        state, ask = await store.site_state(SITE), await store.pending_ask(SITE)
        assert state is not None
        assert state.current.generation == 2
        assert ask is not None
        assert ask.count == 1
        assert await store.take_copy("a") == note("one")
        assert texts_of(await store.conversation("conv-1")) == ["b"]
        assert (await store.key_counts("key_1", at=1.0)).requests == 1
        with pytest.raises(StoreUnavailable):
            await losing.delete_conversation("conv-1")
        assert await store.conversation("conv-1") is None


def message(text: str) -> Message:
    return Message(role="user", text=text, id=f"msg_{text}")


async def _do_all_that_may_be_done_twice(store: Store) -> None:
    assert await store.begin_visit(SITE, "one", at=1.0, ttl=60.0)
    await store.end_visit(visit(1), "one", screenshot=b"png")
    assert await store.begin_turn("conv-1", "t1", at=1.0)
    assert await store.commit_turn("conv-1", turn("t1", "two"))
    assert await store.update_metadata("conv-1", {"a": "1"}, at=1.0)
    await store.set_note("a", "1")
    assert await store.get_note("a") == "1"


async def test_a_lost_answer_does_not_make_anything_happen_twice(redis_server: RedisServer) -> None:
    """The request was carried out, the connection broke before the answer came."""
    async with relay(redis_server.port) as network, open_store(f"redis://127.0.0.1:{network.port}") as store:
        await store.ask_visit(SITE, "refused", at=1.0)
        network.cut_answers(1)
        await seconds_until_unavailable(store.ask_visit(SITE, "refused", at=1.0))
        ask = await store.pending_ask(SITE)
        assert ask is not None
        assert ask.count == 2

        for cut in range(8):
            await store.delete_conversation("conv-1")
            await store.create_conversation(conversation("conv-1", "one"))
            doing = asyncio.create_task(_do_all_that_may_be_done_twice(store))
            for _ in range(cut):
                await asyncio.sleep(0.001)
            network.cut_answers(1)
            await doing
            network.cut_answers(0)
            found = await store.conversation("conv-1")
            assert texts_of(found) == ["one", "two"]
            assert found is not None
            assert found.pending_turn is None
        assert len(await store.visits()) == 1


async def test_repeating_a_call_without_an_answer_does_nothing_twice(redis_server: RedisServer) -> None:
    """As the proxy does while the store is away."""
    whole = replace(conversation("conv-1", "one"), metadata={"a": "1"})
    added = [Message(role="user", text="added", id="msg_1"), Message(role="user", text="more", id="msg_2")]
    async with open_store(redis_server.url) as store:
        for _ in range(2):
            await store.create_conversation(whole)
        assert texts_of(await store.conversation("conv-1")) == ["one"]
        with pytest.raises(StoreError, match="conv-1"):
            await store.create_conversation(replace(whole, metadata={}))

        for _ in range(2):
            assert await store.add_messages("conv-1", added, at=2.0)
        assert texts_of(await store.conversation("conv-1")) == ["one", "added", "more"]

        await store.add_copies([("a", note("kept"), 1.0)])
        assert await store.take_copy("a") == note("kept")
        await store.add_copies([("a", note("kept"), 1.0), ("a", note("new"), 2.0)])
        await store.add_copies([("a", note("new"), 2.0)])
        assert [await store.take_copy("a") for _ in range(2)] == [note("new"), None]

        await store.add_copies([("a", note("kept"), 3.0)])  # put back by a turn that did not use it
        assert await store.take_copy("a") == note("kept")
