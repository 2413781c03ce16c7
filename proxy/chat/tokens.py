"""Estimating the tokens of texts and of whole requests: the sites report no usage in their streams (PROTOCOL 5)."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxy.chat.ask import Ask
from proxy.chat.tools.cache import Cache
from proxy.chat.tools.prompts import instructions as tool_instructions
from shared.conversations import Message

# Each match counts as one token. The pieces are of the size that OpenAI's o200k_base makes of such text on average;
# `tests/samples/tokens.json` holds the true counts that they were measured against. A word takes its blank with it.
# What begins with a set of characters stands first, and nothing is tried twice (`+` behind a number): that is quick.
_HAN = "[\u3400-\u9fff]"
_ACCENTED = "\u00c0-\u024f\u1e00-\u1eff"
_SHORTENED = r"'(?:[dmst]|ll?|re?|ve?)\b"  # it's; and what may become one, so that no letter more costs less
_PLAIN = r"""
      \x20?+[A-Z]?+[a-z]{1,9}+
    | \x20?+[A-Z]{1,4}+
    | [0-9]{1,3}+
    | \x20?+[!-/:-@\[-`{-~]{1,3}+\n?+  # ASCII punctuation
"""
_REST = r"\s++ | \S"
_PIECE = re.compile(
    rf"""
      {_HAN}(?:{_HAN}(?={_HAN}{{2}}))?+                            # about three tokens for four characters
    | [\u3040-\u30ff][\u3040-\u30ff]?+                           # kana
    | {_SHORTENED}
    | \x20?+(?=[A-Za-z]{{0,12}}+[{_ACCENTED}])[A-Za-z{_ACCENTED}]{{1,4}}+
    | {_PLAIN}
    | \x20?+[\uac00-\ud7a3]{{1,2}}+                              # Hangul
    | \x20?+[\u0370-\u03ff\u1f00-\u1fff\u0590-\u05ff\u0e00-\u0e7f]{{1,3}}+  # Greek, Hebrew, Thai
    | \x20?+[\u0400-\u052f\u0600-\u06ff\u0900-\u0dff]{{1,4}}+    # Cyrillic, Arabic, scripts of India
    | [\u2000-\u2bff]{{1,2}}+                                    # typographic marks, symbols, lines
    | {_REST}
    """,
    re.VERBOSE,
)
_ASCII_PIECE = re.compile(f"{_SHORTENED} | {_PLAIN} | {_REST}", re.VERBOSE)  # the same for ASCII, in half the time
_LINES = re.compile(r"(?<=\n)(?=\S)")  # no piece goes beyond

# Characters. A match holds the interpreter's lock, also in a thread: on more than these other threads would feel it.
MAX_AT_ONCE = 8 * 1024

MIN_CACHED_CHARS = 100  # shorter texts are counted each time
COUNT_ENTRY_BYTES = 250  # memory of one cached count
IMAGE_TOKENS = 85  # of a picture: what OpenAI's models take for one at least

_COUNTS: Cache[tuple[int, int], int] = Cache(2 * 1024 * 1024)


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a current OpenAI tokenizer makes of *text*; 0 only for an empty text.

    Prose in most languages, code and data come out within about 15 % on average, single texts within about 50 %.
    """
    if len(text) > MAX_AT_ONCE:
        return sum(estimate_tokens(text[start : start + MAX_AT_ONCE]) for start in range(0, len(text), MAX_AT_ONCE))
    if text.isascii():
        return _ASCII_PIECE.subn("", text)[1]
    lines = _LINES.split(text)
    plain = "".join([line for line in lines if line.isascii()])
    return _ASCII_PIECE.subn("", plain)[1] + _PIECE.subn("", "".join([line for line in lines if not line.isascii()]))[1]


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


class Usage(NamedTuple):
    """Tokens of the prompt, with its whole history, and of the completion; estimated unless the upstream reports
    them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0  # of the prompt, as the upstream reports
    reasoning_tokens: int = 0  # of the completion, as the upstream reports

    @property
    def total(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


def total_usage(answers: Sequence[Usage]) -> Usage:
    """Total usage of several *answers* to one prompt; the prompt is counted once, as OpenAI does."""
    if len(answers) == 1:
        return answers[0]
    completion_tokens = sum(each.completion_tokens for each in answers)
    reasoning_tokens = sum(each.reasoning_tokens for each in answers)
    return answers[0]._replace(completion_tokens=completion_tokens, reasoning_tokens=reasoning_tokens)
