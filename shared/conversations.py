"""Conversations as the store keeps them: the texts, and what an upstream noted of its own copy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["system", "user", "assistant"]

# What keeping one takes beside its text, in bytes: measured in both stores, and rounded up.
CONVERSATION_BYTES = 300
MESSAGE_BYTES = 100
IMAGE_BYTES = 70  # a digest

# What one conversation may hold: reading it for a turn takes some 30 ms then.
MAX_MESSAGES = 4096
MAX_CHARACTERS = 10_000_000


# A tool with arguments, one that takes free text, and a client's own search among tools that it keeps to itself.
ToolKind = Literal["function", "custom", "tool_search"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call of a tool: arguments as the JSON text of an object, or the free text of a custom tool."""

    id: str
    name: str
    arguments: str = field(repr=False)
    kind: ToolKind = "function"
    namespace: str | None = None
    signed: str = field(default="", repr=False)  # JSON: what a server told with it, and wants back as it was


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a message is the result of; its text is what the tool gave."""

    call_id: str = ""
    name: str = ""  # of the tool, where the client told it
    failed: bool = False
    kind: ToolKind = "function"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message, normalised: plain text, the digests of the pictures that came with it, and what tools have to do
    with it."""

    role: Role
    text: str = field(repr=False)
    images: tuple[str, ...] = ()  # SHA-256 in hex; the pictures themselves are not kept
    id: str = ""  # the item's name in OpenAI's APIs; every stored message has one
    calls: tuple[Call, ...] = ()  # of an assistant
    thoughts: str = field(default="", repr=False)  # before its calls: some servers want them back with the results
    result: Result | None = None  # of a user


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What an upstream noted of its copy of a conversation, to go on from it. Only that upstream reads the value."""

    name: str  # of the copy; the same from turn to turn
    value: str = field(repr=False)
    told: str = ""  # digest of what it was told beside the messages: of tools and of the form of its answers


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """A conversation and its whole text.

    A stored response is one too: a copy of the text up to its answer that never changes.
    """

    id: str
    owner: str = ""  # id of the key that made it; "": the master key, or a request that needed none
    created_at: float
    updated_at: float
    metadata: dict[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    note: Note | None = None  # None: the next turn starts afresh with the whole text
    pending_turn: str | None = None  # a turn that may have reached an upstream and was not committed
    response: str = field(default="", repr=False)  # of a stored response: OpenAI's object as JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnResult:
    """What a finished turn adds to its conversation."""

    turn_id: str
    at: float
    history: tuple[Message, ...] | None  # replaces the messages held so far; None: they stand
    added: tuple[Message, ...]  # the new messages of the client and the answer
    note: Note | None  # None: no upstream's copy holds this turn


def is_seen_by(conversation: Conversation, owner: str) -> bool:
    """Whether the key of this id may see it; "", which stands for the master key, sees all."""
    return not owner or conversation.owner == owner


def fits(messages: Sequence[Message], *, answers: int = 0) -> bool:
    """Whether one conversation may hold *messages* and so many answers that are still to come."""
    if len(messages) + answers > MAX_MESSAGES:
        return False
    size = 0
    for message in messages:
        size += len(message.text) + len(message.thoughts)
        size += sum(call_size(call) + len(call.signed) for call in message.calls)
    return size <= MAX_CHARACTERS


def stored_bytes(messages: Iterable[Message]) -> int:
    """How much *messages* count towards the limit of what is kept."""
    return sum(
        MESSAGE_BYTES
        + IMAGE_BYTES * len(message.images)
        + _bytes(message.text)
        + _bytes(message.thoughts)
        + sum(MESSAGE_BYTES + sum(map(_bytes, (call.name, call.arguments, call.signed))) for call in message.calls)
        for message in messages
    )


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def call_size(call: Call) -> int:
    """How much a call counts towards limits, in characters."""
    return MESSAGE_BYTES + len(call.name) + len(call.arguments)
