"""The site's own conversations (PROTOCOL 6): one row per bot, guest and conversation."""

import time
from collections import defaultdict
from typing import Any

from tests.site.bots import SiteBot
from tests.site.kses import filtered
from tests.site.records import Message, StoredMessage, forget_oldest

Row = tuple[int, str, str]  # bot id, session id, conversation uuid


class History:
    """The plugin's chat log, and the tokens each guest has used with each bot."""

    def __init__(self) -> None:
        self.rows: dict[Row, list[StoredMessage]] = {}
        self._tokens: defaultdict[tuple[str, int], int] = defaultdict(int)

    def add(self, row: Row, *, message_id: str, role: str, text: str, details: dict[str, Any] | None = None) -> None:
        """Log one message, filtered as WordPress does."""
        stored = StoredMessage(message_id, role, filtered(text), int(time.time()), details or {})
        self.rows.setdefault(row, []).append(stored)
        forget_oldest(self.rows)

    def last_messages(self, row: Row, bot: SiteBot) -> list[Message]:
        """What goes to the model besides the new message: the last ones, never more than the bot's limit."""
        stored = self.rows.get(row, [])[-bot.max_messages :]
        return [
            {"role": "assistant" if message.role == "bot" else "user", "content": message.content} for message in stored
        ]

    def last_response_id(self, row: Row) -> str | None:
        """The newest `openai_response_id` in the log."""
        for message in reversed(self.rows.get(row, [])):
            if found := message.details.get("openai_response_id"):
                return str(found)
        return None

    def shown(self, row: Row) -> list[dict[str, Any]]:
        """The conversation as the history action shows it."""
        return [
            {
                "message_id": message.message_id,
                "role": message.role,
                "content": message.content,
                "timestamp": message.timestamp,
                **message.details,
            }
            for message in self.rows.get(row, [])
        ]

    def use_tokens(self, session_id: str, bot_id: int, tokens: int) -> None:
        """Count against the guest's quota."""
        self._tokens[session_id, bot_id] += tokens

    def used_tokens(self, session_id: str, bot_id: int) -> int:
        """What the guest has used so far with this bot."""
        return self._tokens[session_id, bot_id]
