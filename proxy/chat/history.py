"""What a history holds, and what a request continues: a stored conversation, or nothing that is known.

An upstream may keep its own copy of a conversation and is sent only what is new. Whenever that copy may not hold
exactly what the client means, the turn carries the whole text.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from typing import Any

import orjson

from shared.conversations import Call, Conversation, Message, Note, call_size

MAX_TURN_CHARS = 4 * 1024 * 1024  # in one message to an upstream; servers take little more, models far less
_BLANKS = " \t\n\r\0\x0b"


def size_of(messages: Iterable[Message]) -> int:
    """The characters of all *messages*."""
    size = 0
    for message in messages:
        size += len(message.text)
        if message.calls:
            size += sum(map(call_size, message.calls))
    return size


def history_digest(scope: Sequence[str], messages: Sequence[Message]) -> str:
    """A name for exactly this history within *scope*, in hexadecimal.

    Blanks around a text do not count: clients trim answers. Lengths are hashed too, so that no two histories can be
    spelled alike.
    """
    digest = hashlib.sha256()
    parts = [*scope]
    for message in messages:
        parts += (message.role, message.text.strip(), str(len(message.images)), *message.images)
        if message.calls or message.result is not None:
            parts.append(repr(_of_tools(message)))
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def rounds(messages: Sequence[Message]) -> list[int]:
    """The number of the round that each message belongs to. Each question begins one, and each answer to results, so
    that calls and their results, which are nothing without them, are in one, with what the user adds to these."""
    numbers, number, after_results = [], 0, False
    for message in messages:
        begins = message.role == "assistant" if after_results else _is_question(message)
        number += begins
        numbers.append(number)
        after_results = message.result is not None or (after_results and not begins)
    return numbers


def last_questions(messages: Sequence[Message], numbers: Sequence[int]) -> set[int]:
    """The places of what the user wrote last, and of the last question that began a round, which an agent works on."""
    asked = [index for index, message in enumerate(messages) if _is_question(message)]
    begun = [index for index in asked if index == 0 or numbers[index] != numbers[index - 1]]
    return {*asked[-1:], *begun[-1:]}


def _is_question(message: Message) -> bool:
    return message.role == "user" and message.result is None


def never_left_out(messages: Sequence[Message]) -> list[Message]:
    """Those of *messages* that are sent whatever the limit: the system's, the last questions and the last round."""
    numbers = rounds(messages)
    questions = last_questions(messages, numbers)
    return [
        message
        for index, message in enumerate(messages)
        if message.role == "system" or numbers[index] == numbers[-1] or index in questions
    ]


def without_empty_end(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """*messages* up to the last that says something: some clients leave a place for the answer to come, which is no
    beginning of one."""
    end = len(messages)
    while end > 1 and (last := messages[end - 1]).role == "assistant":
        if last.text.strip() or last.calls or last.images:
            break
        end -= 1
    return messages[:end]


def is_empty(messages: Sequence[Message]) -> bool:
    """Whether the model would get to see nothing of *messages*."""
    if len(messages) != 1 or messages[0].role != "user":
        return not messages
    if messages[0].result is not None:
        return False
    return not messages[0].images and not messages[0].text.replace("\0", "").strip(_BLANKS)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a turn relates to its conversation."""

    messages: tuple[Message, ...]  # the whole text, the new messages last
    new: tuple[Message, ...]  # what the client adds in this turn
    replaces: bool  # the client's messages differ from what was stored, and win
    note: Note | None  # of the copy that `new` alone may continue, where its upstream is asked


def plan_turn(stored: Conversation | None, messages: Sequence[Message]) -> Plan:
    """Compare what the client sent with what is stored.

    - It repeats all that is stored and adds to it: only the new part is new.
    - It holds no answer, or the last one and what follows it, such as the results of its calls: all but the system
      texts that it begins with is appended, and these take the place of the stored ones.
    - It holds nothing of the user's: the last question is answered anew, under the system text or with the beginning
      of an answer that was sent. All before that answer stays.
    - Anything else: the client's messages win.
    """
    sent = tuple(messages)
    if stored is None:
        return Plan(messages=sent, new=sent, replaces=False, note=None)
    held = stored.messages
    if len(sent) > len(held) and all(map(_same, held, sent)):
        new = sent[len(held) :]
    else:
        system = _new_system(held, sent)
        new = _only_new(held, sent, under_new=bool(system))
        if new and system:
            return Plan(messages=(*system, *_without_system(held), *new), new=new, replaces=True, note=None)
    if not new and all(message.role != "user" for message in sent):
        return Plan(messages=(*_last_question(held, sent), *sent), new=sent, replaces=True, note=None)
    if not new:
        return Plan(messages=sent, new=sent, replaces=True, note=None)
    # A turn that was never committed may have left its message in the site's copy.
    is_faithful = stored.pending_turn is None and all(message.role == "user" for message in new)
    return Plan(messages=(*held, *new), new=new, replaces=False, note=stored.note if is_faithful else None)


def _new_system(held: Sequence[Message], sent: Sequence[Message]) -> tuple[Message, ...]:
    """The system texts that *sent* begins with; empty where they are those of *held*."""
    system = tuple(takewhile(_is_system, sent))
    known = list(filter(_is_system, held))
    return () if len(system) == len(known) and all(map(_same, known, system)) else system


def _only_new(held: Sequence[Message], sent: Sequence[Message], *, under_new: bool) -> tuple[Message, ...]:
    """*sent* without the system texts that it begins with, and without the last answer of *held* where it comes next
    and more follows; empty where the client means something else. *under_new*: those texts are new."""
    rest = tuple(dropwhile(_is_system, sent))
    is_repeated = len(rest) > 1 and rest[0].role == "assistant" and _same(held[-1], rest[0])
    new = rest[1:] if is_repeated else rest
    if any(message.role == "assistant" for message in new):
        return ()
    return () if (under_new or len(new) > 1) and _begins_alike(held, rest) else new


def _is_system(message: Message) -> bool:
    return message.role == "system"


def _without_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(message for message in messages if not _is_system(message))


def _last_question(held: Sequence[Message], sent: Sequence[Message]) -> tuple[Message, ...]:
    """*held* as far as the last message of the user's, which *sent* has answered anew; without its system texts where
    there are new ones.

    An answer behind the last one would have no question, and such turns would add up to one that is never left out.
    """
    asked = max((index for index, message in enumerate(held) if message.role == "user"), default=-1)
    kept = tuple(message for index, message in enumerate(held) if message.role == "system" or index <= asked)
    return _without_system(kept) if any(message.role == "system" for message in sent) else kept


def _begins_alike(held: Sequence[Message], rest: Sequence[Message]) -> bool:
    """Whether *rest* says again what the conversation began with: the client tells it anew then."""
    first = next((message for message in held if message.role != "system"), None)
    return first is not None and bool(rest) and _same(first, rest[0])


def _same(one: Message, other: Message) -> bool:
    """Clients trim answers before they send them back; nothing else may differ."""
    if one.role != other.role or one.text.strip() != other.text.strip() or one.images != other.images:
        return False
    return _of_tools(one) == _of_tools(other)


def _of_tools(message: Message) -> Sequence[Any]:
    """What *message* calls, or is the result of, however a client spells it: ids and blanks in JSON may differ."""
    if message.result is not None:
        return ("result", message.result.failed)
    return [(call.namespace or "", call.name, spelled(call)) for call in message.calls]


def spelled(call: Call) -> str:
    """The arguments of *call*, the same however a client or a model spells them: blanks and order may differ."""
    if call.kind == "custom":
        return call.arguments
    try:
        return orjson.dumps(orjson.loads(call.arguments or "{}"), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return call.arguments
