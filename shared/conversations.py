"""Stored conversations: their messages, and the state by which an upstream continues its own copy of them."""

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


# A tool with arguments, one that takes free text, a client's own search among tools that it keeps to itself, and the
# tools that OpenAI defines and the client runs.
ToolKind = Literal["function", "custom", "tool_search", "shell", "local_shell", "apply_patch"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A tool call: arguments as the JSON text of an object, or the free text of a custom tool."""

    id: str
    name: str
    arguments: str = field(repr=False)
    kind: ToolKind = "function"
    namespace: str | None = None
    signed: str = field(default="", repr=False)  # JSON: what a server sent with it, and expects back unchanged


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """Marks a message as the result of a tool call; the text of the message is the output of the tool."""

    call_id: str = ""
    name: str = ""  # of the tool, where the client named it
    failed: bool = False
    kind: ToolKind = "function"


@dataclass(frozen=True, slots=True)
class Citation:
    """A web page that the answer cites. *start* and *end*: the citing part of the text, in characters."""

    url: str
    title: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message, normalised: plain text, digests of its images, and its tool calls or the call that it answers."""

    role: Role
    text: str = field(repr=False)
    images: tuple[str, ...] = ()  # SHA-256 in hex; the pictures themselves are not kept
    places: tuple[int, ...] = ()  # of each of them: characters of `text` before it. Not kept; none: they follow it
    id: str = ""  # the item's name in OpenAI's APIs; every stored message has one
    calls: tuple[ToolCall, ...] = ()  # of an assistant
    thoughts: str = field(default="", repr=False)  # before its calls: some servers want them back with the results
    result: ToolResult | None = None  # of a user
    sources: tuple[Citation, ...] = field(default=(), repr=False)  # of an assistant


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """An upstream's reference to its own copy of a conversation, to continue it. Opaque to all but that upstream."""

    name: str  # of the copy; the same from turn to turn
    value: str = field(repr=False)
    told: str = ""  # digest of what it was sent besides the messages: tools and response format


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
    """The messages and upstream state that a finished turn adds to its conversation."""

    turn_id: str
    at: float
    history: tuple[Message, ...] | None  # replaces the messages held so far; None: they stand
    added: tuple[Message, ...]  # the new messages of the client and the answer
    note: Note | None  # None: no upstream's copy holds this turn


def is_visible_to(conversation: Conversation, owner: str) -> bool:
    """Whether the key with the id *owner* may read *conversation*; "" is the master key, which may read all."""
    return not owner or conversation.owner == owner


def fits_limits(messages: Sequence[Message], *, answers: int = 0) -> bool:
    """Whether *messages*, and *answers* more that are still to come, fit into one conversation."""
    if len(messages) + answers > MAX_MESSAGES:
        return False
    size = 0
    for message in messages:
        size += len(message.text) + len(message.thoughts)
        size += sum(call_size(call) + len(call.signed) for call in message.calls)
    return size <= MAX_CHARACTERS


def stored_bytes(messages: Iterable[Message]) -> int:
    """The bytes that *messages* count towards the storage limit."""
    return sum(
        MESSAGE_BYTES
        + IMAGE_BYTES * len(message.images)
        + _bytes(message.text)
        + _bytes(message.thoughts)
        + sum(MESSAGE_BYTES + sum(map(_bytes, (call.name, call.arguments, call.signed))) for call in message.calls)
        + sum(MESSAGE_BYTES + _bytes(source.url) + _bytes(source.title) for source in message.sources)
        for message in messages
    )


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def call_size(call: ToolCall) -> int:
    """The characters that a call counts towards limits."""
    return MESSAGE_BYTES + len(call.name) + len(call.arguments)
