"""Sample values for stores."""

import json

from shared.conversations import Conversation, Message, Note, TurnResult
from shared.models import Bot, Capture, Credentials, Outcome, Visit

SITE = "https://chat.example"
BOTS = (Bot(id=7, name="Alpha", provider="OpenAI", keeps_state=True), Bot(id=9, name="视觉", images=True))


def credentials(nonce: str = "aaaaaaaaaa", *, site: str = SITE, at: float = 100.0) -> Credentials:
    return Credentials(
        site=site,
        ajax_url=f"{site}/wp-admin/admin-ajax.php",
        page_url=f"{site}/chat/",
        cookie='a=1; b="x,y"',
        nonce=nonce,
        session_id="11111111-2222-4333-8444-555555555555",
        post_id=18,
        user_agent="Test/1.0",
        source="visit",
        captured_at=at,
        nonce_checked_at=at,
    )


def capture(nonce: str = "aaaaaaaaaa", *, site: str = SITE, at: float = 100.0, identity: str = "{}") -> Capture:
    return Capture(credentials=credentials(nonce, site=site, at=at), bots=BOTS, identity=identity)


def visit(number: int, *, site: str = SITE, at: float | None = None) -> Visit:
    started = float(number) if at is None else at
    return Visit(id=f"visit-{number}", site=site, started_at=started, seconds=1.5, outcome=Outcome.TIMEOUT)


def note(uuid: str = "copy-1", response_id: str = "") -> Note:
    """An AIPKit upstream's note on the site's copy of a conversation; version 0.1.0 stored the value alone."""
    value = {"site": SITE, "bot_id": 7, "session_id": "guest", "conversation_uuid": uuid, "response_id": response_id}
    return Note(name=uuid, value=json.dumps({**value, "interaction_id": ""}))


def messages_of(*texts: str) -> tuple[Message, ...]:
    """Messages with these texts, alternately of the client and the assistant."""
    return tuple(Message(role="assistant" if number % 2 else "user", text=text) for number, text in enumerate(texts))


def conversation(name: str = "conv-1", *texts: str, at: float = 100.0) -> Conversation:
    return Conversation(id=name, created_at=at, updated_at=at, messages=messages_of(*texts))


def turn(
    name: str, *texts: str, at: float = 200.0, history: tuple[Message, ...] | None = None, copy: str = "copy-1"
) -> TurnResult:
    return TurnResult(turn_id=name, at=at, history=history, added=messages_of(*texts), note=note(copy))


def texts_of(found: Conversation | None) -> list[str]:
    assert found is not None
    return [message.text for message in found.messages]
