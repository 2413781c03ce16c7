"""Message histories: sizes, digests, and how a request continues a stored conversation.

An upstream may keep its own copy of a conversation and is then sent only what is new. Whenever that copy may not hold
exactly what the client means, the whole text is sent.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile, takewhile
from typing import Any

import orjson

from shared.conversations import Conversation, Message, Note, ToolCall, call_size

MAX_TURN_CHARS = 4 * 1024 * 1024  # in one message to an upstream; servers take little more, models far less
_BLANKS = " \t\n\r\0\x0b"


def size_of(messages: Iterable[Message]) -> int:
    """Number of characters in all *messages*."""
    size = 0
    for message in messages:
        size += len(message.text)
        if message.calls:
            size += sum(map(call_size, message.calls))
    return size


def history_digest(scope: Sequence[str], messages: Sequence[Message]) -> str:
    """A SHA-256 digest of exactly this history within *scope*, in hexadecimal.

    Blanks around a text do not count: clients trim answers. Lengths are hashed too, so that different histories
    never give the same input.
    """
    digest = hashlib.sha256()
    parts = [*scope]
    for message in messages:
        parts += (message.role, message.text.strip(), str(len(message.images)), *message.images)
        if message.calls or message.result is not None:
            parts.append(repr(_tool_identity(message)))
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def rounds(messages: Sequence[Message]) -> list[int]:
    """Number the rounds that *messages* belong to, one number for each message.

    A question starts a round, and so does an answer to results: calls, their results and what the user adds to these
    are in one round, as they are useless without each other.
    """
    numbers, number, after_results = [], 0, False
    for message in messages:
        begins = message.role == "assistant" if after_results else _is_question(message)
        number += begins
        numbers.append(number)
        after_results = message.result is not None or (after_results and not begins)
    return numbers


def last_questions(messages: Sequence[Message], numbers: Sequence[int]) -> set[int]:
    """Indexes of the user's last message and of the last question that started a round: an agent's task."""
    questions = [index for index, message in enumerate(messages) if _is_question(message)]
    starting = [index for index in questions if index == 0 or numbers[index] != numbers[index - 1]]
    return {*questions[-1:], *starting[-1:]}


def _is_question(message: Message) -> bool:
    return message.role == "user" and message.result is None


def always_sent(messages: Sequence[Message]) -> list[Message]:
    """The *messages* that no limit drops: the system's, the last questions and the last round."""
    numbers = rounds(messages)
    questions = last_questions(messages, numbers)
    return [
        message
        for index, message in enumerate(messages)
        if message.role == "system" or numbers[index] == numbers[-1] or index in questions
    ]


def without_trailing_empty(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """*messages* without empty assistant messages at the end: some clients add one as a placeholder for the answer,
    which is not a prefix of it."""
    end = len(messages)
    while end > 1 and (last := messages[end - 1]).role == "assistant":
        if last.text.strip() or last.calls or last.images:
            break
        end -= 1
    return messages[:end]


def is_empty(messages: Sequence[Message]) -> bool:
    """Whether *messages* hold nothing that a model would see."""
    if len(messages) != 1 or messages[0].role != "user":
        return not messages
    if messages[0].result is not None:
        return False
    return not messages[0].images and not messages[0].text.replace("\0", "").strip(_BLANKS)


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """How a turn relates to the stored conversation."""

    messages: tuple[Message, ...]  # the whole text, the new messages last
    new: tuple[Message, ...]  # what the client adds in this turn
    replaces: bool  # the client's messages differ from what was stored, and win
    note: Note | None  # of the upstream's copy that `new` alone can continue


def plan_turn(stored: Conversation | None, messages: Sequence[Message]) -> TurnPlan:
    """Compare what the client sent with what is stored.

    - It repeats all that is stored and adds to it: only the added part is new.
    - It holds no answer, or the last one and what follows it, such as the results of its calls: all but its leading
      system messages is appended, and these replace the stored ones.
    - It holds no user message: the last question is answered again, under the system messages or with the prefix of an
      answer that was sent. All before that answer stays.
    - Anything else: the client's messages replace what is stored.
    """
    sent = tuple(messages)
    if stored is None:
        return TurnPlan(messages=sent, new=sent, replaces=False, note=None)
    held = stored.messages
    if len(sent) > len(held) and all(map(_is_same, held, sent)):
        new, held = sent[len(held) :], tuple(map(_as_sent, held, sent))
    else:
        system = _new_system(held, sent)
        new = _new_part(held, sent, under_new=bool(system))
        if new and system:
            return TurnPlan(messages=(*system, *_without_system(held), *new), new=new, replaces=True, note=None)
    if not new and all(message.role != "user" for message in sent):
        return TurnPlan(messages=(*_last_question(held, sent), *sent), new=sent, replaces=True, note=None)
    if not new:
        return TurnPlan(messages=sent, new=sent, replaces=True, note=None)
    # A turn that was never committed may have left its message in the site's copy.
    is_faithful = stored.pending_turn is None and all(message.role == "user" for message in new)
    return TurnPlan(messages=(*held, *new), new=new, replaces=False, note=stored.note if is_faithful else None)


def _as_sent(held: Message, sent: Message) -> Message:
    """The message *held*, with what of it is not stored as it was *sent* again."""
    places = sent.places if sent.text == held.text else held.places
    return replace(held, places=places, id=sent.id or held.id) if places or sent.id else held


def _new_system(held: Sequence[Message], sent: Sequence[Message]) -> tuple[Message, ...]:
    """The leading system messages of *sent*; empty where they equal those of *held*."""
    system = tuple(takewhile(_is_system, sent))
    known = list(filter(_is_system, held))
    return () if len(system) == len(known) and all(map(_is_same, known, system)) else system


def _new_part(held: Sequence[Message], sent: Sequence[Message], *, under_new: bool) -> tuple[Message, ...]:
    """*sent* without its leading system messages, and without the last answer of *held* where that comes next and
    more follows; empty where *sent* is no continuation. *under_new*: the system messages are new."""
    rest = tuple(dropwhile(_is_system, sent))
    is_repeated = len(rest) > 1 and rest[0].role == "assistant" and _is_same(held[-1], rest[0])
    new = rest[1:] if is_repeated else rest
    if any(message.role == "assistant" for message in new):
        return ()
    return () if (under_new or len(new) > 1) and _repeats_beginning(held, rest) else new


def _is_system(message: Message) -> bool:
    return message.role == "system"


def _without_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(message for message in messages if not _is_system(message))


def _last_question(held: Sequence[Message], sent: Sequence[Message]) -> tuple[Message, ...]:
    """*held* up to the last user message, which is answered again; without its system messages where *sent* has
    some.

    Further answers after it would have no question, and such turns would grow into one that is never left out.
    """
    last_user = max((index for index, message in enumerate(held) if message.role == "user"), default=-1)
    kept = tuple(message for index, message in enumerate(held) if message.role == "system" or index <= last_user)
    return _without_system(kept) if any(message.role == "system" for message in sent) else kept


def _repeats_beginning(held: Sequence[Message], rest: Sequence[Message]) -> bool:
    """Whether *rest* starts with the first message of the conversation, so that the client sends all of it
    again."""
    first = next((message for message in held if message.role != "system"), None)
    return first is not None and bool(rest) and _is_same(first, rest[0])


def _is_same(one: Message, other: Message) -> bool:
    """Whether two messages are equal but for blanks around the text: clients trim answers before they send them
    back."""
    if one.role != other.role or one.text.strip() != other.text.strip() or one.images != other.images:
        return False
    return _tool_identity(one) == _tool_identity(other)


def _tool_identity(message: Message) -> Sequence[Any]:
    """The calls or the result in *message*, for comparison: ids and the spelling of JSON do not count."""
    if message.result is not None:
        return ("result", message.result.failed)
    return [(call.namespace or "", call.name, spelled(call)) for call in message.calls]


def spelled(call: ToolCall) -> str:
    """The arguments of *call*, the same however a client or a model spells them: blanks and order may differ."""
    if call.kind == "custom":
        return call.arguments
    try:
        return orjson.dumps(orjson.loads(call.arguments or "{}"), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return call.arguments
