"""Messages as the one text that the site takes (PROTOCOL 4).

The site keeps its own history and takes none from a client (PROTOCOL 6). What it does not hold, because a
conversation was moved, edited or sent whole, therefore goes to it as a transcript in a single message. Only that
message reaches the model as typed: the site's stored texts have lost their HTML (PROTOCOL 6).
"""

import re
from collections.abc import Iterable, Sequence
from itertools import count

from proxy.chat.history import last_questions, rounds
from shared.conversations import Message, Role

_HEADER_LIKE = re.compile(r"----- (?:system|user|assistant)(?:, [0-9]+ images?)?(?: \(([0-9]+)\))?(?= -----)")
_SEPARATOR = "\n\n"
_LONGEST_FRAME = 400  # characters around a message, or before all of them, are fewer


def transcript(messages: Sequence[Message]) -> str:
    """The whole conversation in one text, every message's text verbatim.

    A single user message is its own transcript. Otherwise a short instruction comes first, then each message under a
    header line such as `----- user -----`. Where a text holds such a line itself, all headers carry a number that no
    text has. Nothing in them looks like HTML, which the site's history would lose (PROTOCOL 6). Images are counted in
    the header: the pictures travel beside the text or are gone (PROTOCOL 8).
    """
    if not messages:
        return ""
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].text
    number = _free_number(message.text for message in messages)
    return _SEPARATOR.join([_instruction(messages, number), *(_entry(message, number) for message in messages)])


def shorten(messages: Sequence[Message], limit_chars: int) -> tuple[list[Message], int]:
    """The newest messages whose transcript has at most *limit_chars* characters, and how many were left out.

    Whole rounds go, oldest first; one is a question and all up to the next one, or of an agent one answer and its
    results. The system's texts, the last questions and the last round always stay, so what is left may still be too
    long. The limit is for the caller to choose: the plugin has none, the servers around it do (PROTOCOL 4).
    """
    if sum(len(message.text) + _LONGEST_FRAME for message in messages) + _LONGEST_FRAME <= limit_chars:
        return list(messages), 0
    number = _free_number(message.text for message in messages)
    excess = len(transcript(messages)) - limit_chars
    numbers = rounds(messages)
    questions = last_questions(messages, numbers)
    first = 0  # the oldest round that stays
    for index, message in enumerate(messages):
        if excess <= 0 or numbers[index] == numbers[-1]:
            break
        first = numbers[index] + 1
        if message.role != "system" and index not in questions:
            excess -= len(_SEPARATOR) + len(_entry(message, number))
    kept = [
        message
        for index, message in enumerate(messages)
        if message.role == "system" or numbers[index] >= first or index in questions
    ]
    return kept, len(messages) - len(kept)


def _free_number(texts: Iterable[str]) -> int:
    """The smallest number from 1 on with which no text holds a header; 1 stands for none."""
    taken = {match[1] or "1" for text in texts for match in _HEADER_LIKE.finditer(text)}
    return next(number for number in count(1) if str(number) not in taken)


def _header(role: Role, images: int, number: int) -> str:
    pictures = f", {images} image{'s' if images > 1 else ''}" if images else ""
    mark = f" ({number})" if number > 1 else ""
    return f"----- {role}{pictures}{mark} -----"


def _entry(message: Message, number: int) -> str:
    return f"{_header(message.role, len(message.images), number)}\n{message.text}"


def _instruction(messages: Sequence[Message], number: int) -> str:
    """One line that tells the model how to read the rest, and whose turn it is."""
    header = _header("user", 0, number)
    parts = [f'Below is our conversation so far, each message after a line such as "{header}".']
    if any(message.role == "system" for message in messages):
        parts.append("Follow the system text.")
    if messages[-1].role == "user":
        parts.append("Answer only as the assistant, to the last user message, and write no such lines.")
    elif messages[-1].role == "assistant":
        parts.append("The last message is the beginning of your answer: write only what comes after it.")
    else:
        parts.append("Answer only as the assistant, with its next message, and write no such lines.")
    return " ".join(parts)
