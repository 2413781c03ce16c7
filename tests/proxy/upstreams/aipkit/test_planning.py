"""What a turn sends: the new messages where the site's copy is gone on from, else the whole text."""

from dataclasses import replace
from typing import Any

import pytest

from proxy.chat.ask import Ask, Image
from proxy.upstreams.aipkit.planning import SiteCopy, TurnPlanner, read_copy
from proxy.upstreams.aipkit.requests import SiteTurn
from shared.conversations import Message, Note
from shared.models import Bot, Credentials

BOT = Bot(id=5, name="a", keeps_state=True)
COPY = SiteCopy(
    site="https://a.example", bot_id=5, session_id="guest", conversation_uuid="uuid-1", response_id="resp_1"
)
HERE = Credentials(
    site="https://a.example",
    ajax_url="https://a.example/wp-admin/admin-ajax.php",
    page_url="https://a.example/chat/",
    cookie="",
    nonce="aaaaaaaaaa",
    session_id="guest",
    post_id=18,
    user_agent="Test/1.0",
    source="visit",
    captured_at=1.0,
    nonce_checked_at=1.0,
)
HISTORY = (Message(role="user", text="hi"), Message(role="assistant", text="hello"))
NEW = Message(role="user", text="more", images=("picture",))
ASK = Ask(model="m", messages=(*HISTORY, NEW), media={"picture": Image("image/png", "QUJD")})


def turn(credentials: Credentials = HERE, bot: Bot = BOT, copy: SiteCopy | None = COPY) -> SiteTurn:
    planned = TurnPlanner(ASK, bot, copy, (NEW,) if copy else ()).plan(credentials, max_transcript=10_000, max_images=4)
    assert (planned.dropped_messages, planned.dropped_images) == (0, 0)
    return planned.turn


def test_a_copy_of_this_guest_is_sent_what_is_new_alone() -> None:
    sent = turn()

    assert (sent.message, sent.conversation_uuid, sent.response_id) == ("more", "uuid-1", "resp_1")
    assert [image.base64 for image in sent.images] == ["QUJD"]


@pytest.mark.parametrize(
    "change", [{"site": "https://b.example"}, {"session_id": "other"}, {"bot": Bot(id=6, name="b", keeps_state=True)}]
)
def test_another_site_bot_or_guest_starts_over(change: dict[str, Any]) -> None:
    bot = change.pop("bot", BOT)

    sent = turn(replace(HERE, **change), bot)

    assert sent.conversation_uuid != "uuid-1"
    assert (sent.bot_id, sent.session_id, sent.response_id) == (bot.id, change.get("session_id", "guest"), "")
    assert all(text in sent.message for text in ("hi", "hello", "more"))


def test_without_a_copy_the_whole_text_is_sent() -> None:
    sent = turn(copy=None)

    assert sent.conversation_uuid not in ("", "uuid-1")
    assert all(text in sent.message for text in ("hi", "hello", "more"))


def test_a_bot_that_keeps_nothing_is_not_told_what_its_provider_kept() -> None:
    assert turn(bot=Bot(id=5, name="a")).response_id == ""


def test_a_note_is_read_back_as_the_copy_it_tells_of_and_one_of_another_upstream_is_none() -> None:
    note = COPY.to_note()

    assert note.name == "uuid-1"
    assert read_copy(note) == COPY
    for value in ("", "text", "[1]", '{"chat": 5}', '{"site": "https://a.example"}'):
        assert read_copy(Note(name="x", value=value)) is None
