"""What every store promises about single messages of a conversation, and about stored responses."""

from dataclasses import replace

from shared.conversations import (
    CONVERSATION_BYTES,
    MESSAGE_BYTES,
    Citation,
    Conversation,
    Message,
    ToolCall,
    stored_bytes,
)
from shared.store import Store
from tests.shared.samples import conversation, messages_of, note, texts_of, turn


def message(name: str, text: str = "text") -> Message:
    return Message(role="user", text=text, id=name)


async def test_added_messages_come_last_and_no_copy_of_the_sites_holds_them(store: Store) -> None:
    stored = replace(conversation("conv-1", "one", "two"), note=note())
    await store.create_conversation(stored)

    assert await store.add_messages("conv-1", (message("msg_a", "three"), message("msg_b", "four")), at=500.0)

    found = await store.conversation("conv-1")
    assert found is not None
    assert texts_of(found) == ["one", "two", "three", "four"]
    assert [item.id for item in found.messages[2:]] == ["msg_a", "msg_b"]
    assert (found.note, found.updated_at) == (None, 500.0)


async def test_where_pictures_stood_in_a_text_is_not_kept(store: Store) -> None:
    pictured = Message(role="user", text="one two", id="msg_a", images=("a" * 64, "b" * 64), places=(3, 7))
    await store.create_conversation(Conversation(id="conv-1", created_at=1.0, updated_at=1.0, messages=(pictured,)))

    found = await store.conversation("conv-1")
    assert found is not None
    assert found.messages == (replace(pictured, places=()),)


async def test_one_message_is_taken_out(store: Store) -> None:
    await store.create_conversation(Conversation(id="conv-1", created_at=1.0, updated_at=1.0, note=note()))
    await store.add_messages("conv-1", [message(name, name) for name in ("msg_a", "msg_b", "msg_c")], at=2.0)

    assert await store.delete_message("conv-1", "msg_b", at=3.0)

    assert not await store.delete_message("conv-1", "msg_b", at=4.0)
    assert not await store.delete_message("conv-2", "msg_a", at=4.0)
    found = await store.conversation("conv-1")
    assert texts_of(found) == ["msg_a", "msg_c"]
    assert found is not None
    assert found.updated_at == 3.0


async def test_a_message_of_any_characters_can_be_taken_out(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", at=1.0))
    unusual = message("msg_a", 'lone \udc00 surrogate, 视, 😀, "\\\0\r\n')
    await store.add_messages("conv-1", [unusual, message("msg_b", "x")], at=2.0)

    assert await store.delete_message("conv-1", "msg_a", at=3.0)

    assert texts_of(await store.conversation("conv-1")) == ["x"]
    left = CONVERSATION_BYTES + len("{}") + MESSAGE_BYTES + len("x")
    assert await store.prune(before=0.0, max_bytes=left) == 0
    assert await store.prune(before=0.0, max_bytes=left - 1) == 1


async def test_a_conversation_that_is_gone_takes_no_messages(store: Store) -> None:
    assert not await store.add_messages("gone", messages_of("one"), at=1.0)
    assert await store.conversation("gone") is None


async def test_a_turn_under_way_keeps_its_messages_and_loses_its_copy(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", "one", "two"))
    await store.begin_turn("conv-1", "t1", at=2.0)
    await store.add_messages("conv-1", (message("msg_a", "between"),), at=3.0)
    await store.commit_turn("conv-1", turn("t1", "three", "four"))

    found = await store.conversation("conv-1")
    assert texts_of(found) == ["one", "two", "between", "three", "four"]
    assert found is not None
    assert found.note is None


async def test_what_is_added_and_taken_out_counts_for_pruning(store: Store) -> None:
    await store.create_conversation(conversation("conv-1", at=1.0))
    await store.create_conversation(conversation("conv-2", "x" * 10, at=2.0))
    await store.add_messages("conv-1", (message("msg_a", "y" * 90), message("msg_b", "z")), at=1.5)
    await store.delete_message("conv-1", "msg_a", at=1.6)

    left = 2 * (CONVERSATION_BYTES + len("{}") + MESSAGE_BYTES) + 11
    assert await store.prune(before=0.0, max_bytes=left) == 0
    assert await store.prune(before=0.0, max_bytes=left - 1) == 1
    assert await store.conversation("conv-1") is None


async def test_calls_and_sources_with_what_belongs_to_them_that_are_taken_out_count_no_more(store: Store) -> None:
    calls = (
        ToolCall(id="c1", name="look", arguments='{"at": "東京"}'),
        ToolCall(id="c2", name="look", arguments="{}", signed="{}"),
    )
    called = Message(role="assistant", text="é", id="msg_a", calls=calls, thoughts="hm 😀")
    called = replace(called, sources=(Citation("https://wiki.example/", "東京"), Citation("https://é.example/", "")))
    await store.create_conversation(conversation("conv-1", at=1.0))
    await store.add_messages("conv-1", (called, message("msg_b", "z")), at=1.5)

    left = CONVERSATION_BYTES + len("{}") + MESSAGE_BYTES + 1
    counted = left + stored_bytes([called])
    assert await store.prune(before=0.0, max_bytes=counted) == 0
    await store.delete_message("conv-1", "msg_a", at=1.6)
    assert await store.prune(before=0.0, max_bytes=left) == 0
    assert await store.prune(before=0.0, max_bytes=left - 1) == 1


async def test_a_stored_response_is_read_back_and_its_size_counts(store: Store) -> None:
    stored = Conversation(
        id="resp-1",
        created_at=1.0,
        updated_at=1.0,
        messages=(message("msg_a", "hi"),),
        response='{"a":"%s"}' % ("视x" * 90),
    )
    await store.create_conversation(stored)

    assert await store.conversation("resp-1") == stored
    size = CONVERSATION_BYTES + len("{}") + len(stored.response.encode()) + MESSAGE_BYTES + len("hi")
    assert await store.prune(before=0.0, max_bytes=size) == 0
    assert await store.prune(before=0.0, max_bytes=size - 1) == 1
