"""What the simulated site remembers for the tests: requests, model calls and stored messages."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

MAX_RECORDED = 5000  # requests, model calls, conversations and so on that are kept; the oldest go first
MAX_FIELD_CHARS = 1_000_000  # of one recorded form field

K = TypeVar("K")
T = TypeVar("T")
Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": text}


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request as it arrived. *fields* holds the query and the form together."""

    action: str
    method: str
    fields: dict[str, str]
    headers: dict[str, str]
    path: str


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What the AI behind the site received in one turn.

    *messages* is what the site sent, its stored history included. *context* is all that the AI knows: with
    *previous_id*, the earlier turns it kept itself come before the sent ones.
    """

    provider: str
    model: str
    bot_id: int
    messages: list[Message]
    previous_id: str | None
    web_search: bool
    images: int
    session_id: str
    conversation_uuid: str
    context: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message of the site's own log; *details* are the further keys the history action shows."""

    message_id: str
    role: str  # "user" or "bot"
    content: str
    timestamp: int
    details: dict[str, Any] = field(default_factory=dict)


def forget_oldest(rows: dict[K, T]) -> None:
    """Keep a table that grows with each turn bounded."""
    if len(rows) > MAX_RECORDED:
        del rows[next(iter(rows))]


def remember(items: list[T], item: T) -> None:
    """Append *item*; the list stays bounded."""
    items.append(item)
    if len(items) > MAX_RECORDED:
        del items[: MAX_RECORDED // 10]
