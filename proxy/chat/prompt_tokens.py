"""Counting the tokens of whole requests: an estimate, cached by text."""

from collections.abc import Sequence

from proxy.chat.ask import Ask
from proxy.chat.tokens import estimate_tokens
from proxy.chat.tools.cache import Cache
from proxy.chat.tools.prompts import instructions as tool_instructions
from shared.conversations import Message

MIN_CACHED_CHARS = 100  # shorter texts are counted each time
COUNT_ENTRY_BYTES = 250  # memory of one cached count
IMAGE_TOKENS = 85  # of a picture: what OpenAI's models take for one at least

_COUNTS: Cache[tuple[int, int], int] = Cache(2 * 1024 * 1024)


def count_request_tokens(ask: Ask) -> int:
    """Estimate the tokens of the messages of *ask* and of the instructions for its tools. Slow for long histories."""
    return count_tokens(ask.messages, instructions=tool_instructions(ask.tool_config) if ask.tool_config else "")


def count_tokens(messages: Sequence[Message], *, instructions: str = "") -> int:
    """Estimate the tokens of *messages*, and of the *instructions* for tools that are sent with them."""
    count = _cached_estimate(instructions) if instructions else 0
    for message in messages:
        count += _cached_estimate(message.text) + IMAGE_TOKENS * len(message.images)
        for call in message.calls:
            count += estimate_tokens(call.name) + _cached_estimate(call.arguments)
    return count


def _cached_estimate(text: str) -> int:
    """As `estimate_tokens`, cached: clients send earlier messages again with each request."""
    if len(text) < MIN_CACHED_CHARS:
        return estimate_tokens(text)
    key = hash(text), len(text)  # and no text is kept for it
    count = _COUNTS.get(key)
    if count is None:
        count = estimate_tokens(text)
        _COUNTS.put(key, count, COUNT_ENTRY_BYTES)
    return count
