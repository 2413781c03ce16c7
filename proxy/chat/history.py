"""What a history holds, whichever upstream is asked."""

from collections.abc import Iterable, Sequence

from shared.conversations import Message

MAX_TURN_CHARS = 4 * 1024 * 1024  # in one message to an upstream; servers take little more, models far less
_BLANKS = " \t\n\r\0\x0b"


def size_of(messages: Iterable[Message]) -> int:
    """The characters of all *messages*."""
    return sum(len(message.text) for message in messages)


def never_left_out(messages: Sequence[Message]) -> list[Message]:
    """Those of *messages* that are sent whatever the limit: the system's, and the last turn."""
    start = max((index for index, message in enumerate(messages) if message.role == "user"), default=0)
    return [message for index, message in enumerate(messages) if message.role == "system" or index >= start]


def is_empty(messages: Sequence[Message]) -> bool:
    """Whether the model would get to see nothing of *messages*."""
    if len(messages) != 1 or messages[0].role != "user":
        return not messages
    return not messages[0].images and not messages[0].text.replace("\0", "").strip(_BLANKS)
