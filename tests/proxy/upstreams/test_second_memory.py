"""A site and an upstream of another kind: each continues its own copy, by its own note."""

from pathlib import Path

import pytest

from proxy.chat.upstream import End, RefusalReason
from shared.conversations import Message, ToolCall
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.list_upstream import ListedAnswer, ListUpstream, assistant_message, refusal
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"  # both have it


@pytest.mark.parametrize("new", [["two"], ["!be brief", "two"], ["two", "three"], ["two", "!be brief"]])
async def test_a_client_that_sends_all_continues_by_the_note_of_the_upstream(
    new: list[str], other_first: RunningProxy, other: ListUpstream
) -> None:
    await other_first.chat("one")

    sent = [{"role": "system" if text.startswith("!") else "user", "content": text} for text in new]
    await other_first.chat("one", assistant_message("listed"), *sent)

    assert other.received[1].copied_texts == ["one", "listed"]
    assert other.received[-1].texts == ["one", "listed", *new]


async def test_the_copy_is_continued_after_a_restart(site: SimulatedSite, other: ListUpstream, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, edit_upstreams=lambda sites: [other, *sites]) as proxy:
        await proxy.chat("one")
    async with running_proxy(site, tmp_path, edit_upstreams=lambda sites: [other, *sites]) as proxy:
        await proxy.chat("one", assistant_message("listed"), "two")

    assert other.received[1].copied_texts == ["one", "listed"]


async def test_a_copy_is_continued_by_one_turn_alone(other_first: RunningProxy, other: ListUpstream) -> None:
    await other_first.chat("one")

    for text in ("two", "three"):
        await other_first.chat("one", assistant_message("listed"), text)

    assert [request.copied is None for request in other.received] == [True, False, True]


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_copy_that_a_turn_did_not_reach_is_there_for_one_more(
    is_first: bool, site: SimulatedSite, other: ListUpstream, tmp_path: Path
) -> None:
    other.answers = [ListedAnswer(), ListedAnswer([], refusal(RefusalReason.RATE)), ListedAnswer()]
    site.behaviour.ajax_status = 500
    async with running_proxy(
        site, tmp_path, edit_upstreams=lambda sites: [other, *sites] if is_first else [*sites, other]
    ) as proxy:
        await proxy.chat("one")
        assert (await proxy.chat("one", assistant_message("listed"), "two")).status == 502
        for text in ("two", "three"):
            await proxy.chat("one", assistant_message("listed"), text)

    assert [request.copied_texts for request in other.received[2:]] == [["one", "listed"], None]


async def test_a_stored_conversation_continues_a_copy_that_a_turn_did_not_reach(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer(), ListedAnswer([], refusal(RefusalReason.RATE)), ListedAnswer()]
    site.behaviour.ajax_status = 500
    conversation = (await other_first.openai.conversations.create()).id
    for text, status in (("one", 200), ("two", 502), ("two", 200)):
        assert (await other_first.chat(text, conversation_id=conversation)).status == status

    assert other.received[2].copied_texts == ["one", "listed"]


async def test_a_copy_that_holds_a_failed_turn_is_not_continued(
    other_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [ListedAnswer(), ListedAnswer([], refusal(RefusalReason.ANSWER, delivered=True)), ListedAnswer()]
    site.behaviour.ajax_status = 500
    await other_first.chat("one")

    assert (await other_first.chat("one", assistant_message("listed"), "two")).status == 502
    await other_first.chat("one", assistant_message("listed"), "two")

    assert other.received[2].copied is None


async def test_a_stored_conversation_continues_by_note_and_over_a_restart(
    site: SimulatedSite, other: ListUpstream, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, edit_upstreams=lambda sites: [other, *sites]) as proxy:
        conversation = (await proxy.openai.conversations.create()).id
        await proxy.chat("one", conversation_id=conversation)
        await proxy.chat("two", conversation_id=conversation)
        kept = await proxy.store.conversation(conversation)
    async with running_proxy(site, tmp_path, edit_upstreams=lambda sites: [other, *sites]) as proxy:
        await proxy.chat("three", conversation_id=conversation)

    assert kept is not None
    assert kept.note is not None
    assert (kept.note.name, kept.note.value) == ("copy 1", "http://list.example 2")
    assert [len(request.copied or ()) for request in other.received] == [0, 2, 4]
    assert other.received[-1].texts == ["one", "listed", "two", "listed", "three"]


async def test_a_stored_conversation_moves_to_the_other_and_back_with_its_text(
    site_first: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    """Neither takes the other's note for its own."""
    conversation = (await site_first.openai.conversations.create()).id
    first = await site_first.chat("my name is Ada", conversation_id=conversation)
    site.behaviour.ajax_status = 500
    moved = await site_first.chat("and now?", conversation_id=conversation)
    site.behaviour.ajax_status = 0
    back = await site_first.chat("[[recall]]", conversation_id=conversation)

    assert moved.text == "listed"
    assert other.received[-1].texts == ["my name is Ada", first.text, "and now?"]
    assert other.received[0].copied is None
    assert "my name is Ada" in back.text
    assert "listed" in str(site.model_calls[-1].context)


async def test_an_upstream_that_lost_its_copy_gets_the_whole_text(
    other_first: RunningProxy, other: ListUpstream
) -> None:
    conversation = (await other_first.openai.conversations.create()).id
    await other_first.chat("one", conversation_id=conversation)
    other.forget()

    await other_first.chat("two", conversation_id=conversation)

    assert other.received[1].copied is None
    assert other.received[-1].texts == ["one", "listed", "two"]


async def test_a_response_continues_the_one_before(other_first: RunningProxy, other: ListUpstream) -> None:
    first = await other_first.openai.responses.create(model=MODEL, input="one")

    second = await other_first.openai.responses.create(model=MODEL, input="two", previous_response_id=first.id)

    assert (first.output_text, second.output_text) == ("listed", "listed")
    assert other.received[1].copied_texts == ["one", "listed"]


async def test_a_refusal_without_a_text_is_remembered(other_first: RunningProxy, other: ListUpstream) -> None:
    conversation = (await other_first.openai.conversations.create()).id
    answers = [ListedAnswer((), End(refusal="I cannot.")), ListedAnswer()]
    other.answers = [*answers]
    for question in ("one", "two"):
        await other_first.chat(question, conversation_id=conversation)
    other.answers = [*answers]
    response = await other_first.openai.responses.create(model=MODEL, input="one")
    await other_first.openai.responses.create(model=MODEL, input="two", previous_response_id=response.id)

    assert other.received[1].texts == other.received[3].texts == ["one", "I cannot.", "two"]


def test_a_refusal_beside_a_call_is_not_taken_for_the_answer() -> None:
    answer = Message(role="assistant", text="", calls=(ToolCall(id="call_1", name="look", arguments="{}"),))

    assert End("tool_calls", refusal="I cannot.").kept(answer) == answer
