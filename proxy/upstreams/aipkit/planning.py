"""Plan what a turn sends: the new messages where the site's copy is continued, else a transcript of all.

The site shows a model only the last messages it stored, and those have lost their HTML and hold no pictures (PROTOCOL
6). So its copy is continued only where the model gets exactly what the client sent; everything else is replayed as a
transcript.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

from proxy.chat.ask import Ask
from proxy.upstreams.aipkit.requests import SiteTurn, guard
from proxy.upstreams.aipkit.transcript import shorten, transcript
from shared.conversations import Message, Note
from shared.models import Bot, Credentials

_CONTROLS = tuple(map(chr, (*range(9), 0x0B, 0x0C, *range(0x0E, 0x20))))  # what WordPress' HTML filter takes away


@dataclass(frozen=True, slots=True)
class SiteCopy:
    """The site's copy of a conversation; all of these must match to continue it (PROTOCOL 6)."""

    site: str
    bot_id: int
    session_id: str = field(repr=False)
    conversation_uuid: str
    response_id: str = ""  # last `openai_response_id`
    interaction_id: str = ""  # last `google_interaction_id`

    @property
    def has_state(self) -> bool:
        """Whether it names what the model's provider keeps."""
        return bool(self.response_id or self.interaction_id)

    def belongs_to(self, credentials: Credentials, bot: Bot) -> bool:
        """Whether the guest of *credentials* has it with *bot*."""
        return (self.site, self.bot_id, self.session_id) == (credentials.site, bot.id, credentials.session_id)

    def to_note(self) -> Note:
        """The note to store, for `read_copy`."""
        return Note(name=self.conversation_uuid, value=orjson.dumps(self).decode())


def read_copy(note: Note) -> SiteCopy | None:
    """Read the copy in *note*; None where that is another upstream's."""
    try:
        return SiteCopy(**orjson.loads(note.value))
    except (orjson.JSONDecodeError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class MemoryPolicy:
    """When the site's own memory is used. *limit*: messages it may have to remember on its own."""

    mode: Literal["auto", "continue", "replay"] = "auto"
    limit: int = 4

    def trusts(self, bot: Bot, history: Sequence[Message], *, has_state: bool = True) -> bool:
        """Whether the model behind *bot* would be shown *history* unchanged if the site's copy were continued.

        *has_state*: the copy names what the model's provider keeps; not all do where the page says that the bot can.
        """
        if self.mode != "auto":
            return self.mode == "continue"
        if bot.keeps_state and has_state:
            return True
        if len(history) > self.limit:
            return False
        for message in history:  # noqa: SIM110  (a generator costs more than all it looks at)
            if message.images or _is_filtered(message.text):
                return False
        return True


def _is_filtered(text: str) -> bool:
    """Whether the site's HTML filter acts on *text*: on markup, and on control characters, as in what a terminal
    printed. Searches for one character take a fraction of a pattern's time, which for a long text is felt."""
    if "<" in text or ">" in text or "&" in text:
        return True
    return not text.isprintable() and any(character in text for character in _CONTROLS)


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """A turn, and how many of the oldest messages and images it leaves out."""

    turn: SiteTurn
    dropped_messages: int
    dropped_images: int


@dataclass(frozen=True, slots=True)
class TurnPlanner:
    """Plans one turn. Where *copy* is continued, only the *new* messages are sent."""

    ask: Ask
    bot: Bot
    copy: SiteCopy | None = None
    new: Sequence[Message] = ()

    def plan(self, credentials: Credentials, *, max_transcript: int, max_images: int) -> PlannedTurn:
        """Plan the turn as the guest of these *credentials*. *max_transcript*: characters."""
        messages, dropped = self.new, 0
        copy = self.copy if self.copy is not None and self.copy.belongs_to(credentials, self.bot) else None
        if copy is None:
            messages = self.ask.messages
            if len(messages) > 1:  # the last one always stays
                messages, dropped = shorten(messages, max_transcript)
        images, dropped_images = self.ask.pictures(messages, limit=max_images) if self.ask.media else ((), 0)
        keeps_state = copy is not None and self.bot.keeps_state
        turn = SiteTurn(
            bot_id=self.bot.id,
            provider=self.bot.provider,
            message=guard(transcript(messages), images=len(images)),
            images=images,
            session_id=credentials.session_id,
            conversation_uuid=copy.conversation_uuid if copy else str(uuid.uuid4()),
            post_id=credentials.post_id,
            response_id=copy.response_id if copy and keeps_state else "",
            interaction_id=copy.interaction_id if copy and keeps_state else "",
            web_search=self.ask.web_search,
        )
        return PlannedTurn(turn, dropped, dropped_images)
