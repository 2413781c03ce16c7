"""Recognising what a client that resends its whole history continues, and whether the site's copy may be trusted.

The site shows a model only the last messages it stored, and those have lost their HTML and hold no pictures (PROTOCOL
6). So its copy is continued only where the model gets exactly what the client sent; everything else is replayed as a
transcript.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.conversations import Message
from shared.models import Bot

_FILTERED = frozenset("<>&")  # what the site's HTML filter acts on


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
        return len(history) <= self.limit and not any(
            message.images or _FILTERED & set(message.text) for message in history
        )


def history_digest(site: str, bot_id: int, session_id: str, messages: Sequence[Message]) -> str:
    """A name for exactly this history, with this bot, as this guest.

    Blanks around a text do not count: clients trim answers. Lengths are hashed too, so that no two histories can be
    spelled alike.
    """
    digest = hashlib.sha256()
    for part in (site, str(bot_id), session_id, *(part for message in messages for part in _parts(message))):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def _parts(message: Message) -> tuple[str, ...]:
    return message.role, message.text.strip(), str(len(message.images)), *message.images
