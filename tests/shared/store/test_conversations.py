"""What every store promises about conversations."""

import asyncio
from dataclasses import replace

import pytest

from shared.conversations import (
    CONVERSATION_BYTES,
    IMAGE_BYTES,
    MESSAGE_BYTES,
    Conversation,
    Message,
    ToolCall,
    ToolResult,
)
from shared.store import Store, StoreError, open_store
from tests.shared.samples import conversation, messages_of, note, texts_of, turn

EMPTY = CONVERSATION_BYTES + len("{}")  # bytes that a conversation without messages and metadata counts


async def test_a_conversation_is_read_back_whole(store_url: str) -> None:
    whole = Conversation(
        id="conv-1",
        owner="key_a",
        created_at=1.5,
        updated_at=2.5,
        metadata={"topic": "视觉", "half": "\ud83d"},
        messages=(
            Message(role="system", text="be brief\0\r\n"),
            Message(role="user", text="一 lone \udc00 surrogate 😀", images=("ab" * 32, "cd" * 32)),
            Message(role="assistant", text=""),
            Message(
                role="assistant",
                text="",
                calls=(ToolCall(id="c1", name="look", arguments="{}", signed="{}"),),
                thoughts="hm 😀",
            ),
            Message(role="user", text="seen", result=ToolResult(call_id="c1", failed=True)),
        ),
        note=note(response_id="resp_1"),
        pending_turn="turn-9",
    )
    async with open_store(store_url) as store:
        await store.create_conversation(whole)
    async with open_store(store_url) as store:
        assert await store.conversation("conv-1") == whole


async def test_an_unknown_conversation_is_none_and_takes_nothing(store: Store) -> None:
    assert await store.conversation("gone") is None
    assert not await store.begin_turn("gone", "t1", at=1.0)
    assert not await store.commit_turn("gone", turn("t1", "hello"))
    assert not await store.update_metadata("gone", {}, at=1.0)
    assert not await store.delete_conversation("gone")
    await store.abandon_turn("gone", "t1")
    assert await store.conversation("gone") is None


async def test_an_id_is_given_once(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "first"))
    with pytest.raises(StoreError, match="conv-1"):
        await store.create_conversation(conversation("conv-1", "second"))
    assert texts_of(await store.conversation("conv-1")) == ["first"]


async def test_a_committed_turn_is_appended_and_points_to_the_sites_copy(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "one", "two"))

    assert await store.begin_turn("conv-1", "t1", at=150.0)
    pending = await store.conversation("conv-1")
    assert await store.commit_turn("conv-1", turn("t1", "three", "four"))

    found = await store.conversation("conv-1")
    assert pending is not None
    assert pending.pending_turn == "t1"
    assert texts_of(found) == ["one", "two", "three", "four"]
    assert found is not None
    assert (found.note, found.pending_turn) == (note(), None)
    assert (found.created_at, found.updated_at) == (100.0, 200.0)


async def test_the_clients_history_replaces_what_was_held(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "one", "two"))
    await store.begin_turn("conv-1", "t1", at=150.0)
    await store.commit_turn("conv-1", turn("t1", "new", "answer", history=messages_of("other", "words")))
    assert texts_of(await store.conversation("conv-1")) == ["other", "words", "new", "answer"]

    await store.begin_turn("conv-1", "t2", at=250.0)
    await store.commit_turn("conv-1", turn("t2", "only", history=()))
    assert texts_of(await store.conversation("conv-1")) == ["only"]


async def test_an_abandoned_turn_leaves_everything_as_it_was(store: Store) -> None:
    await store.create_conversation(replace(conversation("conv-1"), note=note()))
    await store.begin_turn("conv-1", "t1", at=100.0)
    await store.abandon_turn("conv-1", "other")
    still_pending = await store.conversation("conv-1")
    await store.abandon_turn("conv-1", "t1")

    assert still_pending is not None
    assert still_pending.pending_turn == "t1"
    assert await store.conversation("conv-1") == replace(conversation("conv-1"), note=note())


async def test_after_a_turn_that_was_never_committed_a_fresh_copy_is_taken_up(store: Store) -> None:
    await store.create_conversation(replace(conversation("conv-1", "one"), note=note("old")))
    await store.begin_turn("conv-1", "died", at=110.0)

    await store.begin_turn("conv-1", "t2", at=120.0)
    await store.commit_turn("conv-1", turn("t2", "two", copy="fresh"))

    found = await store.conversation("conv-1")
    assert found is not None
    assert (found.note, found.pending_turn) == (note("fresh"), None)


async def test_the_copy_an_uncommitted_turn_may_have_touched_is_never_shown_again(store: Store) -> None:
    await store.create_conversation(replace(conversation("conv-1", "one"), note=note("old")))
    await store.begin_turn("conv-1", "died", at=110.0)
    await store.begin_turn("conv-1", "t2", at=120.0)
    await store.abandon_turn("conv-1", "t2")
    abandoned = await store.conversation("conv-1")

    await store.begin_turn("conv-1", "t3", at=130.0)
    await store.commit_turn("conv-1", turn("t3", "two", copy="old"))

    committed = await store.conversation("conv-1")
    assert abandoned is not None
    assert (abandoned.note, abandoned.pending_turn) == (None, None)
    assert texts_of(committed) == ["one", "two"]
    assert committed is not None
    assert committed.note is None


@pytest.mark.parametrize("order", [("t1", "t2"), ("t2", "t1")])
async def test_of_two_concurrent_turns_no_message_is_lost_and_no_copy_is_trusted(
    store: Store, order: tuple[str, str]
) -> None:
    await store.create_conversation(conversation("conv-1", "start"))
    await store.begin_turn("conv-1", "t1", at=110.0)
    await store.begin_turn("conv-1", "t2", at=120.0)

    for name in order:
        await store.commit_turn("conv-1", turn(name, f"{name} asks", f"{name} hears", copy=f"copy of {name}"))

    found = await store.conversation("conv-1")
    assert texts_of(found) == ["start", *(f"{name} {verb}" for name in order for verb in ("asks", "hears"))]
    assert found is not None
    assert (found.note, found.pending_turn) == (None, None)


async def test_a_turn_that_another_overtook_does_not_clear_its_mark_or_replace_history(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "start"))
    await store.begin_turn("conv-1", "t1", at=110.0)
    await store.begin_turn("conv-1", "t2", at=120.0)

    await store.commit_turn("conv-1", turn("t1", "a", history=messages_of("mine")))

    found = await store.conversation("conv-1")
    assert texts_of(found) == ["start", "a"]
    assert found is not None
    assert found.pending_turn == "t2"
    await store.commit_turn("conv-1", turn("t2", "b", history=messages_of("start")))
    assert texts_of(await store.conversation("conv-1")) == ["start", "a", "b"]


async def test_after_concurrent_turns_a_lone_turn_is_trusted_again(store: Store) -> None:
    await store.create_conversation(conversation("conv-1"))
    for name in ("t1", "t2"):
        await store.begin_turn("conv-1", name, at=110.0)
    for name in ("t1", "t2"):
        await store.commit_turn("conv-1", turn(name, name))
    await store.begin_turn("conv-1", "t3", at=130.0)
    await store.commit_turn("conv-1", turn("t3", "later", copy="fresh"))
    found = await store.conversation("conv-1")
    assert found is not None
    assert found.note == note("fresh")


async def test_beginning_the_same_turn_again_changes_nothing(store: Store) -> None:
    await store.create_conversation(replace(conversation("conv-1"), note=note("old")))
    await store.begin_turn("conv-1", "t1", at=110.0)
    await store.begin_turn("conv-1", "t1", at=110.0)
    await store.commit_turn("conv-1", turn("t1", "hi", copy="old"))
    found = await store.conversation("conv-1")
    assert found is not None
    assert found.note == note("old")


async def test_many_turns_at_once_all_arrive(store: Store) -> None:
    await store.create_conversation(conversation("conv-1"))

    async def take(name: str) -> None:
        await store.begin_turn("conv-1", name, at=1.0)
        assert await store.commit_turn("conv-1", turn(name, name))

    await asyncio.gather(*(take(f"t{number}") for number in range(30)))

    assert sorted(texts_of(await store.conversation("conv-1"))) == sorted(f"t{number}" for number in range(30))


async def test_metadata_is_replaced_and_the_rest_stands(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "one"))
    assert await store.update_metadata("conv-1", {"a": "1", "b": "\ud83d"}, at=300.0)
    assert await store.update_metadata("conv-1", {"c": "3"}, at=290.0)
    assert await store.conversation("conv-1") == replace(
        conversation("conv-1", "one"), metadata={"c": "3"}, updated_at=300.0
    )


async def test_a_deleted_conversation_is_gone_with_its_messages(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "secret"))
    await store.create_conversation(conversation("conv-2", "stays"))
    assert await store.delete_conversation("conv-1")
    assert await store.conversation("conv-1") is None
    await store.create_conversation(conversation("conv-1"))
    assert texts_of(await store.conversation("conv-1")) == []
    assert texts_of(await store.conversation("conv-2")) == ["stays"]


async def test_pruning_by_age_spares_what_was_used_since(store: Store) -> None:
    for number in range(120):
        await store.create_conversation(conversation(f"conv-{number}", "x", at=float(number)))
    await store.begin_turn("conv-3", "t1", at=500.0)

    assert await store.prune(before=110.0, max_bytes=10**9) == 109

    remaining = [number for number in range(120) if await store.conversation(f"conv-{number}") is not None]
    assert remaining == [3, *range(110, 120)]
    assert await store.prune(before=110.0, max_bytes=10**9) == 0


async def test_pruning_by_size_drops_the_oldest_until_the_rest_fits(store: Store) -> None:
    for number in range(4):
        await store.create_conversation(conversation(f"conv-{number}", "视" * 10, at=float(number)))
    each = EMPTY + MESSAGE_BYTES + 30

    assert await store.prune(before=0.0, max_bytes=4 * each) == 0
    assert await store.prune(before=0.0, max_bytes=4 * each - 1) == 1
    assert await store.conversation("conv-0") is None
    assert await store.prune(before=0.0, max_bytes=each) == 2
    assert await store.conversation("conv-3") is not None
    assert await store.prune(before=0.0, max_bytes=each - 1) == 1


async def test_the_size_counted_for_pruning_follows_every_change(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "12345", at=1.0))
    await store.begin_turn("conv-1", "t1", at=1.0)
    await store.commit_turn("conv-1", turn("t1", "12345", "12345", at=1.0))
    assert await store.prune(before=0.0, max_bytes=EMPTY + 3 * MESSAGE_BYTES + 15) == 0
    await store.begin_turn("conv-1", "t2", at=1.0)
    await store.commit_turn("conv-1", turn("t2", "123", history=messages_of("1234"), at=1.0))
    left = EMPTY + 2 * MESSAGE_BYTES + 7
    assert await store.prune(before=0.0, max_bytes=left) == 0
    await store.create_conversation(conversation("conv-2", "123", at=2.0))
    assert await store.delete_conversation("conv-2")
    assert await store.prune(before=0.0, max_bytes=left) == 0
    assert await store.prune(before=0.0, max_bytes=left - 1) == 1


async def test_what_surrounds_the_text_counts_for_pruning(store: Store) -> None:
    pictured = Message(role="user", text="", images=("a" * 64, "b" * 64), id="msg_a")
    await store.create_conversation(conversation("conv-1", at=1.0))
    await store.add_messages("conv-1", (pictured, Message(role="user", text="x", id="msg_b")), at=1.0)
    await store.update_metadata("conv-1", {"a": "x" * 400}, at=1.0)
    await store.update_metadata("conv-1", {"a": "x" * 40}, at=1.0)
    left = EMPTY + len('"a": ""') + 40 + 2 * MESSAGE_BYTES + 2 * IMAGE_BYTES + 1

    assert await store.prune(before=0.0, max_bytes=left) == 0
    assert await store.delete_message("conv-1", "msg_a", at=1.0)
    left -= MESSAGE_BYTES + 2 * IMAGE_BYTES
    assert await store.prune(before=0.0, max_bytes=left) == 0
    await store.begin_turn("conv-1", "t1", at=1.0)
    await store.commit_turn("conv-1", turn("t1", history=(), at=1.0))
    left -= MESSAGE_BYTES + 1
    assert await store.prune(before=0.0, max_bytes=left) == 0
    assert await store.prune(before=0.0, max_bytes=left - 1) == 1
