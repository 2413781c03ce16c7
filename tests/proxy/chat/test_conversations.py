"""Memory: conversations by id, across turns, models, restarts and failures."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from proxy.chat.conversation_turn import ConversationTurn
from proxy.chat.conversations import Conversations
from proxy.chat.errors import ServiceError
from proxy.chat.upstream_copies import UpstreamCopies
from shared.conversations import Conversation, Message
from tests.proxy.running import NOW, RunningProxy, capture, running_proxy
from tests.site import SimulatedSite


async def new_conversation(proxy: RunningProxy) -> str:
    async with proxy.http.post(f"{proxy.url}/v1/conversations", json={"metadata": {"topic": "tests"}}) as response:
        body = await response.json()
    assert response.status == 200
    assert body["object"] == "conversation"
    assert body["conversation_id"] == body["id"]
    assert body["metadata"] == {"topic": "tests"}
    return str(body["id"])


def dialogue(call: Any) -> list[str]:
    """The texts the model was given, without the site's own instructions."""
    return [message["content"] for message in call.messages if message["role"] != "system"]


async def test_the_second_turn_sends_only_the_new_message(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    first = await proxy.chat("first", conversation_id=conversation)
    second = await proxy.chat("second", conversation_id=conversation)

    assert second.body["conversation_id"] == conversation
    one, two = site.model_calls
    assert two.conversation_uuid == one.conversation_uuid
    assert dialogue(two) == ["first", first.text, "second"]


async def test_a_client_that_repeats_the_history_is_understood(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    first = await proxy.chat("first", conversation_id=conversation)

    await proxy.chat("first", {"role": "assistant", "content": first.text}, "second", conversation_id=conversation)

    assert dialogue(site.model_calls[-1]) == ["first", first.text, "second"]


async def test_a_client_with_another_history_wins(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat("first", conversation_id=conversation)
    await proxy.chat("edited", {"role": "assistant", "content": "other answer"}, "second", conversation_id=conversation)
    third = await proxy.chat("third", conversation_id=conversation)

    one, two, three = site.model_calls
    assert two.conversation_uuid != one.conversation_uuid
    assert "edited" in dialogue(two)[0]
    assert "other answer" in dialogue(two)[0]
    assert three.conversation_uuid == two.conversation_uuid
    assert third.status == 200


@pytest.mark.parametrize("model", ["gpt-4o-mini-helper", "gpt-5-nano", "gemini-flash", "claude-sonnet-b"])
async def test_a_conversation_survives_a_restart_of_the_proxy(site: SimulatedSite, tmp_path: Path, model: str) -> None:
    async with running_proxy(site, tmp_path) as proxy:
        conversation = await new_conversation(proxy)
        await proxy.chat("my name is Ada", model=model, conversation_id=conversation)
    async with running_proxy(site, tmp_path) as proxy:
        answer = await proxy.chat("[[recall]]", model=model, conversation_id=conversation)

    assert "my name is Ada" in answer.text
    one, two = site.model_calls
    assert two.conversation_uuid == one.conversation_uuid


async def test_the_earlier_tools_example_works(site: SimulatedSite, tmp_path: Path) -> None:
    models = {"claude-3-opus": 12, "gemini-pro": 11}
    async with running_proxy(site, tmp_path, models=models) as proxy:
        conversation = await new_conversation(proxy)
        first = await proxy.chat("Who wrote Faust?", model="claude-3-opus", conversation_id=conversation)
        second = await proxy.chat(
            "Who wrote Faust?",
            {"role": "assistant", "content": first.text},
            "[[recall]] And what is new about it?",
            model="gemini-pro",
            conversation_id=conversation,
            web_search=True,
        )

    assert "Who wrote Faust?" in second.text
    assert first.text in second.text
    assert site.model_calls[-1].provider == "Google"
    assert site.model_calls[-1].web_search


async def test_the_id_points_to_the_model_named_last(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat("first", conversation_id=conversation)
    await proxy.chat("second", model="claude-sonnet-b", conversation_id=conversation)
    await proxy.chat("third", model="claude-sonnet-b", conversation_id=conversation)

    one, two, three = site.model_calls
    assert (one.provider, two.provider, three.provider) == ("OpenAI", "Claude", "Claude")
    assert three.conversation_uuid == two.conversation_uuid != one.conversation_uuid


async def test_an_unknown_id_is_404_and_an_empty_one_names_none(proxy: RunningProxy) -> None:
    answer, without = [await proxy.chat("hi", conversation_id=name) for name in ("conv_unknown", "")]

    assert (answer.status, answer.code) == (404, "conversation_not_found")
    assert (without.status, "conversation_id" in without.body) == (200, False)


async def test_a_changed_guest_identity_starts_over_with_the_whole_text(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat("my name is Ada", conversation_id=conversation)
    taken = await capture(site)
    other = replace(taken.credentials, session_id="another-guest")
    await proxy.store.save_capture(replace(taken, credentials=other), base=1)

    answer = await proxy.chat("[[recall]]", conversation_id=conversation)

    assert "my name is Ada" in answer.text
    assert site.model_calls[-1].session_id == "another-guest"


@pytest.mark.parametrize("mode", ["cut", "late_error", "err500", "cut_clean"])
async def test_a_failed_turn_is_not_built_upon(proxy: RunningProxy, site: SimulatedSite, mode: str) -> None:
    conversation = await new_conversation(proxy)
    first = await proxy.chat("first", conversation_id=conversation)
    failed = await proxy.chat(f"[[mode:{mode}]] doomed", conversation_id=conversation)
    await proxy.chat("third", conversation_id=conversation)

    assert failed.status in {502, 504}
    sent = dialogue(site.model_calls[-1])
    assert len(sent) == 1
    assert "first" in sent[0]
    assert first.text in sent[0]
    assert "doomed" not in sent[0]


async def test_a_refusal_before_the_model_leaves_the_conversation_usable(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat("first", conversation_id=conversation)
    site.behaviour.stream_error = "This is refused in words nobody knows."
    answer = await proxy.chat("second", conversation_id=conversation)
    site.behaviour.stream_error = ""
    await proxy.chat("third", conversation_id=conversation)

    assert (answer.status, answer.code) == (400, "upstream_refused")
    one, *_, last = site.model_calls
    assert last.conversation_uuid == one.conversation_uuid


async def test_two_turns_at_once_on_one_id_are_both_remembered(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat("first", conversation_id=conversation)
    await asyncio.gather(
        proxy.chat("[[delay:0.05]] left", conversation_id=conversation),
        proxy.chat("[[delay:0.05]] right", conversation_id=conversation),
    )

    stored = await proxy.store.conversation(conversation)
    assert stored is not None
    texts = [message.text for message in stored.messages if message.role == "user"]
    assert sorted(texts) == ["[[delay:0.05]] left", "[[delay:0.05]] right", "first"]


@pytest.mark.parametrize("model", ["gpt-5-nano", "gemini-flash"])
async def test_a_provider_that_forgot_the_conversation_is_told_the_whole_text(
    proxy: RunningProxy, site: SimulatedSite, model: str
) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat("my name is Ada", model=model, conversation_id=conversation)
    site.forget_responses()

    answer = await proxy.chat("[[recall]]", model=model, conversation_id=conversation)

    assert "my name is Ada" in answer.text


async def test_a_conversation_is_retrieved_updated_and_deleted_in_openais_shape(proxy: RunningProxy) -> None:
    created = await proxy.openai.conversations.create(metadata={"a": "1"}, items=[{"role": "user", "content": "hi"}])
    found = await proxy.openai.conversations.retrieve(created.id)
    changed = await proxy.openai.conversations.update(created.id, metadata={"b": "2"})
    gone = await proxy.openai.conversations.delete(created.id)

    assert (found.id, found.object, found.metadata) == (created.id, "conversation", {"a": "1"})
    assert (changed.created_at, changed.metadata) == (created.created_at, {"b": "2"})
    assert (gone.id, gone.deleted, gone.object) == (created.id, True, "conversation.deleted")
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.conversations.retrieve(created.id)
    with pytest.raises(openai.NotFoundError):
        await proxy.openai.conversations.delete(created.id)


async def test_items_given_at_the_start_are_remembered(proxy: RunningProxy) -> None:
    created = await proxy.openai.conversations.create(items=[{"role": "user", "content": "my name is Ada"}])

    answer = await proxy.chat("[[recall]]", conversation_id=created.id)

    assert "my name is Ada" in answer.text


async def test_a_turn_in_which_a_proxy_died_is_not_built_upon(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    first = await proxy.chat("first", conversation_id=conversation)
    assert await proxy.store.begin_turn(conversation, "of a proxy that was killed", at=2e9)

    await proxy.chat("second", conversation_id=conversation)

    one, two = site.model_calls
    assert two.conversation_uuid != one.conversation_uuid
    assert "first" in dialogue(two)[0]
    assert first.text in dialogue(two)[0]


async def test_new_metadata_must_be_given(proxy: RunningProxy) -> None:
    created = await proxy.openai.conversations.create(metadata={"a": "1"})
    url = f"{proxy.url}/v1/conversations/{created.id}"
    async with proxy.http.post(url, json={"meta": {"b": "2"}}) as answer:
        error = (await answer.json())["error"]
    found = await proxy.openai.conversations.retrieve(created.id)
    async with proxy.http.post(url, json={"metadata": None}) as emptied:
        assert (await emptied.json())["metadata"] == {}

    assert (answer.status, error["param"]) == (400, "metadata")
    assert found.metadata == {"a": "1"}


async def test_another_system_text_takes_nothing_from_a_conversation(proxy: RunningProxy, site: SimulatedSite) -> None:
    created = await proxy.openai.conversations.create(
        items=[{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": "Hi Ada"}]
    )
    for time in ("noon", "one"):
        system = {"role": "system", "content": f"It is {time}."}
        await proxy.chat(system, f"[[say:Ada]] Who am I at {time}?", conversation_id=created.id)

    assert "My name is Ada." in str(site.model_calls[-1].messages)
    assert "It is noon." not in str(site.model_calls[-1].messages)
    items = await proxy.openai.conversations.items.list(created.id, order="asc")
    turns = [(item.role, item.content[0].text) for item in items.data if item.type == "message"]  # type: ignore[union-attr]
    assert [text for role, text in turns if role != "assistant"] == [
        "It is one.",
        "My name is Ada.",
        "[[say:Ada]] Who am I at noon?",
        "[[say:Ada]] Who am I at one?",
    ]


async def test_a_conversation_that_is_deleted_just_before_a_turn_or_an_append_is_404(proxy: RunningProxy) -> None:
    gone = Conversation(id="conv_gone", created_at=NOW, updated_at=NOW)
    question = Message(role="user", text="hi")

    for answer in (
        ConversationTurn(proxy.store, UpstreamCopies(proxy.store), [question], gone).begin(),
        Conversations(proxy.store).append(gone.id, [question]),
    ):
        with pytest.raises(ServiceError) as exc_info:
            await answer
        assert (exc_info.value.status, exc_info.value.code) == (404, "conversation_not_found")


async def test_a_system_text_holds_for_what_follows_without_being_sent_again(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    conversation = await new_conversation(proxy)
    await proxy.chat({"role": "system", "content": "be kind"}, "my name is Ada", conversation_id=conversation)

    answer = await proxy.chat("[[recall]]", conversation_id=conversation)

    assert "my name is Ada" in answer.text
    assert "be kind" in str(site.model_calls[-1].messages)


async def test_a_history_that_is_sent_again_as_it_stands_is_answered(proxy: RunningProxy, site: SimulatedSite) -> None:
    conversation = await new_conversation(proxy)
    first = await proxy.chat("my name is Ada", conversation_id=conversation)

    again = await proxy.chat(
        "my name is Ada", {"role": "assistant", "content": first.text}, conversation_id=conversation
    )

    assert again.status == 200
    assert dialogue(site.model_calls[-1])[0].endswith(first.text)
