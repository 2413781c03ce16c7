"""Plan what a turn sends: the client's messages, as the page would send what its visitor typed.

The site keeps nothing of a conversation; each turn brings all that was said. Of it the site shows the model the first
message and the last ones, by its operator's setting, which no page tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proxy.chat.ask import Ask, Image
from proxy.chat.errors import bad_request
from proxy.chat.history import last_questions, rounds
from proxy.chat.upstream import Refusal, RefusalReason
from proxy.upstreams.site.texts import PHP_BLANKS, look_at
from shared.conversations import Message
from shared.models import Bot
from shared.plugins.lenient_json import as_utf8

MAX_HISTORY = 16  # messages before the new one: the first, and the 15 that the plugin's own default lets through
_SYSTEM = "Follow the system text.\n\n----- system -----\n"  # the page has no role for it
_GO_ON = "Your last message is the beginning of your answer: write only what comes after it."


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """A turn, and how many of the oldest messages and images it leaves out. *history*: roles and texts."""

    history: tuple[tuple[str, str], ...]
    text: str
    images: tuple[Image, ...]
    dropped_messages: int
    dropped_images: int


def plan_turn(ask: Ask, bot: Bot, *, max_transcript: int, counts_bytes: bool = False) -> PlannedTurn:
    """The turn that *ask* makes. *max_transcript*: characters, all messages together. *counts_bytes*: so the site
    counts what its visitor types, as old versions do.

    Raises `Refusal` where the page would not take what its visitor would have to type.
    """
    earlier: Sequence[Message] = ask.messages if ask.messages[-1].role == "assistant" else ask.messages[:-1]
    newest = ask.messages[len(earlier) :]
    earlier = _with_one_system(earlier, bot, counts_bytes=counts_bytes)
    kept = _within(earlier, newest, max_transcript)
    images, dropped_images = ask.pictures([*kept, *newest], limit=bot.max_images if bot.images else 0)
    if newest and newest[-1].images and not images:
        raise _unfit("The chat's page takes no pictures.", "images_not_supported")
    history = tuple((_role(message), _typed(message)) for message in kept)
    text = _typed(newest[-1]) if newest else _GO_ON
    if not text.strip(PHP_BLANKS):
        if not images:
            raise _unfit("The message is empty.", "empty_message")
        text = look_at(len(images))
    for typed in (*(said for role, said in history if role == "user"), text):
        _check_length(typed, bot, counts_bytes=counts_bytes)
    return PlannedTurn(history, text, images, len(earlier) - len(kept), dropped_images)


def _with_one_system(earlier: Sequence[Message], bot: Bot, *, counts_bytes: bool) -> Sequence[Message]:
    """The system's texts at the beginning as one, where the window would leave some out or leave no room for turns."""
    start = _begin_of_turns(earlier)
    if start < 2 or len(earlier) <= MAX_HISTORY:
        return earlier
    one = Message(role="system", text="\n\n".join(message.text for message in earlier[:start]))
    if bot.max_message and _length(_typed(one), counts_bytes=counts_bytes) > bot.max_message:
        return earlier
    return (one, *earlier[start:])


def _begin_of_turns(messages: Sequence[Message]) -> int:
    return next((index for index, message in enumerate(messages) if message.role != "system"), len(messages))


def _within(earlier: Sequence[Message], newest: Sequence[Message], most: int) -> Sequence[Message]:
    """The system's texts at the beginning, the last questions, and as many of the newest whole rounds as there is room
    for beside the *newest* message; of the last round what the window lets through."""
    messages = (*earlier, *newest)
    numbers = rounds(messages)
    questions = last_questions(messages, numbers)
    start = first = _begin_of_turns(earlier)
    size, count = sum(len(message.text) for message in messages), len(earlier)
    for index in range(start, len(earlier)):
        is_last = numbers[index] == numbers[-1]
        is_too_much = count > MAX_HISTORY or (size > most and not is_last)
        begins = is_last or index == start or numbers[index] != numbers[index - 1]
        if begins and not is_too_much:
            break
        first = index + 1
        if index not in questions:
            size -= len(earlier[index].text)
            count -= 1
    asked = [earlier[index] for index in sorted(questions) if start <= index < first]
    return [*earlier[:start], *asked, *earlier[first:]]


def _role(message: Message) -> str:
    return "assistant" if message.role == "assistant" else "user"


def _typed(message: Message) -> str:
    """The message as the page could send it: text that UTF-8 can hold, else the site takes nothing of the turn."""
    text = as_utf8(message.text)
    return f"{_SYSTEM}{text}" if message.role == "system" else text


def _length(text: str, *, counts_bytes: bool) -> int:
    """As the site counts."""
    typed = text.strip(PHP_BLANKS)
    return len(typed.encode() if counts_bytes else typed)


def _check_length(text: str, bot: Bot, *, counts_bytes: bool) -> None:
    length = _length(text, counts_bytes=counts_bytes)
    if bot.max_message and length > bot.max_message:
        unit = "bytes" if counts_bytes else "characters"
        raise _unfit(
            f"A message has {length} {unit}, and the page of this chat takes {bot.max_message} in one: shorten it, "
            "or name another model. System texts, tools and schemas are sent as messages too.",
            "message_too_long",
        )


def _unfit(message: str, code: str) -> Refusal:
    """This page does not take it; that of another chat may."""
    return Refusal(
        bad_request(message, param="messages", code=code), RefusalReason.MODEL, delivered=False, has_begun=False
    )
