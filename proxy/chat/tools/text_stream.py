"""Streamed text for parsers that are generators: they yield where they need more of it.

A parser sees the same characters however they were split into chunks, so that its result cannot depend on that.
"""

import re
from collections.abc import Callable, Generator
from typing import NamedTuple, TypeVar

from proxy.chat.tools.json_scanner import JsonScanner

_T = TypeVar("_T")
Steps = Generator[None, None, _T]

BLANKS = " \t\r\n"
FENCE = "```"
IMITATIONS = ("[result of ", "[error of ")
_HEAD = 400  # leading characters of a value that `may_be` gets


class JsonValue(NamedTuple):
    """The text of a JSON value. *is_partial*: the answer ended within it, and more than brackets may be missing."""

    text: str
    is_partial: bool = False


class TextStream:
    """Buffers text that has arrived and was not consumed; `raw` holds all chunks."""

    def __init__(self) -> None:
        self.raw: list[str] = []
        self.has_ended = False
        self.was_cut = False  # it ended before the model was done
        self._text = ""
        self._at = 0

    def feed(self, piece: str) -> None:
        """Add a chunk."""
        self.raw.append(piece)
        self._text = self._text[self._at :] + piece
        self._at = 0

    def finish(self, *, cut: bool) -> None:
        """End the stream."""
        self.has_ended, self.was_cut = True, cut

    def _more(self) -> Steps[bool]:
        """Wait for more text; False at the end."""
        if self.has_ended:
            return False
        yield
        return True

    def peek(self, count: int) -> Steps[str]:
        """Return the next *count* characters, fewer at the end, without consuming them."""
        while len(self._text) - self._at < count and (yield from self._more()):
            pass
        return self._text[self._at : self._at + count]

    def skip(self, characters: str) -> Steps[str]:
        """Consume all next *characters*; returns the character after them, or "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in characters:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not (yield from self._more()):
                return ""

    def begins(self, *prefixes: str) -> Steps[bool]:
        """Whether one of *prefixes* comes next, after at most three blanks."""
        count = 0
        while True:
            count += 1
            ahead = yield from self.peek(count)
            text = ahead.lstrip(" ")
            if text.startswith(prefixes):
                return True
            if (
                len(ahead) < count
                or len(ahead) - len(text) > 3
                or not any(prefix.startswith(text) for prefix in prefixes)
            ):
                return False

    @property
    def is_exhausted(self) -> bool:
        """Whether the answer ended and all of it was consumed."""
        return self._at == len(self._text)

    def take(self, count: int) -> None:
        """Consume *count* characters after `peek`."""
        self._at += count

    def give_back(self, text: str) -> None:
        """Push *text*, which was consumed last, back."""
        self._text, self._at = text + self._text[self._at :], 0

    def until(self, pattern: re.Pattern[str], max_length: int) -> Steps[tuple[str, bool]]:
        """Consume everything before the first match of *pattern*, which has at most *max_length* characters; returns
        whether there was one."""
        taken: list[str] = []
        while True:
            match = pattern.search(self._text, self._at)
            if match or self.has_ended:
                end = match.start() if match else len(self._text)
                taken.append(self._text[self._at : end])
                self._at = end
                return "".join(taken), match is not None
            keep = max(self._at, len(self._text) - max_length)
            taken.append(self._text[self._at : keep])
            self._at = keep
            yield from self._more()

    def value(self, may_be: Callable[[str, int], bool] | None = None) -> Steps[JsonValue | None]:
        """Consume the JSON value that begins here; None as soon as *may_be* rejects its beginning, or its length so
        far.

        A line that closes a fence or imitates a tool result ends it too, except in a string, where it may be meant.
        """
        scanner, taken = JsonScanner(), []
        head, size = "", 0
        while True:
            at = self._text.find("\n", self._at)
            line = self._text[self._at : at + 1] if at >= 0 else self._text[self._at :]
            end = scanner.feed(line)
            consumed = line if end < 0 else line[:end]
            size += len(consumed)
            head = head if len(head) >= _HEAD else (head + consumed)[:_HEAD]
            if may_be is not None and not may_be(head, size):
                return None
            self._at += len(consumed)
            taken.append(consumed)
            if end >= 0:
                return JsonValue("".join(taken))
            if at >= 0 and not scanner.in_string and (yield from self.begins(FENCE, *IMITATIONS)):
                return JsonValue("".join(taken))
            if self._at == len(self._text) and not (yield from self._more()):
                text = "".join(taken)
                lacks_bracket_only = scanner.depth == 1 and not scanner.in_string and text.rstrip()[-1:] in ("}", "]")
                return JsonValue(text, is_partial=self.was_cut or not lacks_bracket_only)
