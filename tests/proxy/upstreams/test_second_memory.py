"""An upstream of another kind beside a site: what each remembers, by its own note."""

from pathlib import Path

import pytest

from proxy.chat.upstream import End, RefusalReason
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.list_upstream import ListUpstream, Told, answered, refusal
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"  # both have it


@pytest.mark.parametrize("new", [["two"], ["!be brief", "two"], ["two", "three"], ["two", "!be brief"]])
async def test_a_client_that_sends_all_goes_on_by_the_note_of_the_upstream(
    new: list[str], before: RunningProxy, other: ListUpstream
) -> None:
    await before.chat("one")

    sent = [{"role": "system" if text.startswith("!") else "user", "content": text} for text in new]
    await before.chat("one", answered("listed"), *sent)

    assert other.asked[1].copied_texts == ["one", "listed"]
    assert other.asked[-1].texts == ["one", "listed", *new]


async def test_it_does_so_over_a_restart(site: SimulatedSite, other: ListUpstream, tmp_path: Path) -> None:
    async with running_proxy(site, tmp_path, beside=lambda sites: [other, *sites]) as proxy:
        await proxy.chat("one")
    async with running_proxy(site, tmp_path, beside=lambda sites: [other, *sites]) as proxy:
        await proxy.chat("one", answered("listed"), "two")

    assert other.asked[1].copied_texts == ["one", "listed"]


async def test_no_two_turns_go_on_from_one_copy(before: RunningProxy, other: ListUpstream) -> None:
    await before.chat("one")

    for text in ("two", "three"):
        await before.chat("one", answered("listed"), text)

    assert [asked.copied is None for asked in other.asked] == [True, False, True]


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_copy_that_a_turn_did_not_reach_is_there_for_one_more(
    is_first: bool, site: SimulatedSite, other: ListUpstream, tmp_path: Path
) -> None:
    other.answers = [Told(), Told([], refusal(RefusalReason.RATE)), Told()]
    site.behaviour.ajax_status = 500
    async with running_proxy(
        site, tmp_path, beside=lambda sites: [other, *sites] if is_first else [*sites, other]
    ) as proxy:
        await proxy.chat("one")
        assert (await proxy.chat("one", answered("listed"), "two")).status == 502
        for text in ("two", "three"):
            await proxy.chat("one", answered("listed"), text)

    assert [asked.copied_texts for asked in other.asked[2:]] == [["one", "listed"], None]


async def test_a_stored_conversation_goes_on_from_a_copy_that_a_turn_did_not_reach(
    before: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [Told(), Told([], refusal(RefusalReason.RATE)), Told()]
    site.behaviour.ajax_status = 500
    conversation = (await before.openai.conversations.create()).id
    for text, status in (("one", 200), ("two", 502), ("two", 200)):
        assert (await before.chat(text, conversation_id=conversation)).status == status

    assert other.asked[2].copied_texts == ["one", "listed"]


async def test_a_copy_that_a_failed_turn_was_put_into_is_not_gone_on_from(
    before: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    other.answers = [Told(), Told([], refusal(RefusalReason.ANSWER, delivered=True)), Told()]
    site.behaviour.ajax_status = 500
    await before.chat("one")

    assert (await before.chat("one", answered("listed"), "two")).status == 502
    await before.chat("one", answered("listed"), "two")

    assert other.asked[2].copied is None


async def test_a_stored_conversation_goes_on_by_note_and_over_a_restart(
    site: SimulatedSite, other: ListUpstream, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, beside=lambda sites: [other, *sites]) as proxy:
        conversation = (await proxy.openai.conversations.create()).id
        await proxy.chat("one", conversation_id=conversation)
        await proxy.chat("two", conversation_id=conversation)
        kept = await proxy.store.conversation(conversation)
    async with running_proxy(site, tmp_path, beside=lambda sites: [other, *sites]) as proxy:
        await proxy.chat("three", conversation_id=conversation)

    assert kept is not None
    assert kept.note is not None
    assert (kept.note.name, kept.note.value) == ("copy 1", "http://list.example 2")
    assert [len(asked.copied or ()) for asked in other.asked] == [0, 2, 4]
    assert other.asked[-1].texts == ["one", "listed", "two", "listed", "three"]


async def test_a_stored_conversation_moves_to_the_other_and_back_with_its_text(
    behind: RunningProxy, site: SimulatedSite, other: ListUpstream
) -> None:
    """Neither takes the other's note for its own."""
    conversation = (await behind.openai.conversations.create()).id
    first = await behind.chat("my name is Ada", conversation_id=conversation)
    site.behaviour.ajax_status = 500
    moved = await behind.chat("and now?", conversation_id=conversation)
    site.behaviour.ajax_status = 0
    back = await behind.chat("[[recall]]", conversation_id=conversation)

    assert moved.text == "listed"
    assert other.asked[-1].texts == ["my name is Ada", first.text, "and now?"]
    assert other.asked[0].copied is None
    assert "my name is Ada" in back.text
    assert "listed" in str(site.model_calls[-1].context)


async def test_one_that_lost_its_copy_is_told_all(before: RunningProxy, other: ListUpstream) -> None:
    conversation = (await before.openai.conversations.create()).id
    await before.chat("one", conversation_id=conversation)
    other.forget()

    await before.chat("two", conversation_id=conversation)

    assert other.asked[1].copied is None
    assert other.asked[-1].texts == ["one", "listed", "two"]


async def test_a_response_goes_on_from_the_one_before(before: RunningProxy, other: ListUpstream) -> None:
    first = await before.openai.responses.create(model=MODEL, input="one")

    second = await before.openai.responses.create(model=MODEL, input="two", previous_response_id=first.id)

    assert (first.output_text, second.output_text) == ("listed", "listed")
    assert other.asked[1].copied_texts == ["one", "listed"]


async def test_a_refusal_without_a_text_is_remembered(before: RunningProxy, other: ListUpstream) -> None:
    conversation = (await before.openai.conversations.create()).id
    answers = [Told((), End(refusal="I cannot.")), Told()]
    other.answers = [*answers]
    for question in ("one", "two"):
        await before.chat(question, conversation_id=conversation)
    other.answers = [*answers]
    response = await before.openai.responses.create(model=MODEL, input="one")
    await before.openai.responses.create(model=MODEL, input="two", previous_response_id=response.id)

    assert other.asked[1].texts == other.asked[3].texts == ["one", "I cannot.", "two"]
