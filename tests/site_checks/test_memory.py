"""The site's state: conversations, keys, quotas and nonces (PROTOCOL 3, 4, 6 and 7)."""

import json

import pytest

from tests.site import SimulatedSite, SiteBot
from tests.site.kses import filtered
from tests.site_checks.visitor import Visitor


async def test_all_four_of_bot_guest_conversation_must_be_the_same_to_continue() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        await visitor.send("first")
        same = await visitor.send("second")
        other_bot = await visitor.send("third", 8)
        other_conversation = await visitor.send("fourth", conversation_uuid="other")
        other_guest = await visitor.send("fifth", session_id="other")

    priors = [("prior=2" in answer.text) for answer in (same, other_bot, other_conversation, other_guest)]
    assert priors == [True, False, False, False]
    assert [message["content"] for message in site.model_calls[1].messages][1:] == [
        "first",
        site.logs[5, visitor.session_id, visitor.conversation][1].content,
        "second",
    ]


async def test_the_last_fifteen_messages_go_along() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        for number in range(9):
            await visitor.send(f"turn {number}")

    sent = site.model_calls[-1].messages
    assert [message["role"] for message in sent[:2]] == ["system", "assistant"]
    assert len(sent) == 1 + 15 + 1


async def test_the_conversation_id_is_sanitized_not_refused() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        await visitor.send("first", conversation_uuid="A b.C_1-")
        answer = await visitor.send("second", conversation_uuid="abc_1-")
        illegal = await visitor.send("third", conversation_uuid="%$ ")

    assert "prior=2" in answer.text
    assert "Conversation ID is missing." in illegal.text


async def test_36_and_64_characters_are_the_longest_ids() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        fits = await visitor.send("x", conversation_uuid="c" * 36, session_id="s" * 64)
        too_long = await visitor.send("x", session_id="s" * 65)

    assert '"finished":true' in fits.text
    assert "message_start" in fits.text
    assert "Failed to log user message." in too_long.text


async def test_an_id_from_another_conversation_continues_that_one() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        await visitor.send("the secret is 7", 6)
        first_id = site.logs[6, visitor.session_id, visitor.conversation][1].details["openai_response_id"]
        answer = await visitor.send("[[recall]]", 6, conversation_uuid="other", previous_openai_response_id=first_id)
        site.forget_responses()
        forgotten = await visitor.send("again", 6, previous_openai_response_id=first_id)

    assert "the secret is 7" in answer.text
    assert [message["content"] for message in site.model_calls[1].messages][1:] == ["[[recall]]"]
    assert "(Code: previous_response_not_found)" in forgotten.text


async def test_with_the_state_off_a_previous_id_is_ignored() -> None:
    async with SimulatedSite() as site:
        answer = await Visitor(site).send("x", 5, previous_openai_response_id="bogus")

    assert "prior=0" in answer.text
    assert site.model_calls[0].previous_id is None


async def test_google_without_its_id_gets_the_stored_history() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        await visitor.send("first", 11)
        answer = await visitor.send("second", 11)

    assert "prior=2" in answer.text
    assert len(site.model_calls[1].messages) == 4
    assert site.model_calls[1].previous_id is None


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("if a < b && c > d <script>x</script>", "if a <b> d x"),
        ("AT&T &amp; co", "AT&amp;T &amp; co"),
        ("a > b", "a &gt; b"),
        ("1 < 2", "1 "),
        ("<b class='x' onclick='y'>bold</b><br>", "<b class='x'>bold</b><br>"),
        ("plain 世界 \"q\" 'a'", "plain 世界 \"q\" 'a'"),
        ("<!-- gone -->stays", "stays"),
        ("\x1b[31mred\x1b[0m\tone\r\ntwo\f", "[31mred[0m\tone\r\ntwo"),
    ],
)
def test_stored_texts_are_filtered_as_html(typed: str, stored: str) -> None:
    assert filtered(typed) == stored


async def test_a_blank_message_leaves_the_model_without_a_user_turn() -> None:
    async with SimulatedSite() as site:
        answer = await Visitor(site).send(" \n\t")

    assert "prior=-1" in answer.text
    assert [message["role"] for message in site.model_calls[0].messages] == ["system"]


async def test_nul_bytes_are_removed() -> None:
    async with SimulatedSite() as site:
        await Visitor(site).send("a\0b")

    assert site.model_calls[0].messages[-1]["content"] == "ab"


async def test_images_reach_only_models_that_see() -> None:
    images = json.dumps([{"mime_type": "image/png", "base64_data": "data:image/png;base64,iVBORw0KGgo="}] * 2)
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        seen = await visitor.stream(await visitor.key("look", image_inputs=images))
        unseen = await visitor.stream(await visitor.key("look", 9, image_inputs=images), 9)

    assert "images=2" in seen.text
    assert "images=0" in unseen.text


@pytest.mark.parametrize(
    "images", ['{"a":1}', "[1]", "not json", '[{"mime_type":"image/png","base64_data":"***"}]', '[{"mime_type":1}]']
)
async def test_bad_image_payloads_are_refused(images: str) -> None:
    async with SimulatedSite() as site:
        answer = await Visitor(site).store("look", image_inputs=images)

    assert answer.head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.body)["data"]["code"] == "invalid_image_payload"


async def test_the_quota_belongs_to_guest_and_bot() -> None:
    async with SimulatedSite(bots=[SiteBot(15, "Quota", quota_tokens=1), SiteBot(16, "Other", quota_tokens=1)]) as site:
        visitor = Visitor(site)
        await visitor.send("one", 15)
        used_up = await visitor.send("two", 15)
        other_bot = await visitor.send("three", 16)
        visitor.session_id = "another"
        other_guest = await visitor.send("four", 15)

    assert "quota_notice" in used_up.text
    assert "message_start" in other_bot.text
    assert "message_start" in other_guest.text


async def test_a_refused_turn_burns_the_key_but_a_refused_nonce_does_not() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        key = await visitor.key()
        await visitor.stream(key, _ajax_nonce="0123456789")
        bad_bot = await visitor.stream(key, 999)
        again = await visitor.stream(key)

    assert "Invalid chatbot specified." in bad_bot.text
    assert "Message not found in cache." in again.text


async def test_rotating_refuses_old_nonces_and_can_keep_the_previous_one() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        old = site.nonce
        site.rotate_nonce(keep_previous=True)
        previous = await visitor.store("x", _ajax_nonce=old)
        site.rotate_nonce()
        refused = await visitor.store("x", _ajax_nonce=old)
        renewed = json.loads((await visitor.post_action("aipkit_get_frontend_chat_nonce")).body)["data"]["nonce"]

    assert b"200 OK" in previous.head
    assert b"403 Forbidden" in refused.head
    assert renewed == site.nonce != old


async def test_a_nonce_lives_between_half_and_all_of_its_life() -> None:
    async with SimulatedSite() as site:
        old = site.nonce
        site.behaviour.nonce_life = 1e-6

        assert not site.nonces.accepts(old, "")


async def test_history_needs_the_same_guest_and_can_be_deleted() -> None:
    async with SimulatedSite() as site:
        visitor = Visitor(site)
        await visitor.send("first")
        fields = {"bot_id": "5", "conversation_uuid": visitor.conversation}
        shown = await visitor.post_action("aipkit_get_conversation_history", **fields)
        other = await visitor.post_action("aipkit_get_conversation_history", **fields | {"session_id": "other"})
        refused = await visitor.post_action("aipkit_get_conversation_history", **fields | {"_ajax_nonce": "bad"})
        for _ in range(2):
            deleted = await visitor.post_action("aipkit_delete_single_conversation", **fields)
            assert json.loads(deleted.body)["success"]
        gone = await visitor.post_action("aipkit_get_conversation_history", **fields)

    history = json.loads(shown.body)["data"]["history"]
    assert [message["role"] for message in history] == ["user", "bot"]
    assert json.loads(other.body)["data"]["history"] == []
    assert json.loads(refused.body)["data"]["code"] == "nonce_failure"
    assert json.loads(gone.body)["data"]["history"] == []
