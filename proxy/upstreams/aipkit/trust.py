"""Whether the site's own copy of a conversation may be continued.

The site shows a model only the last messages it stored, and those have lost their HTML and hold no pictures (PROTOCOL
6). So its copy is continued only where the model gets exactly what the client sent; everything else is replayed as a
transcript.
"""

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
