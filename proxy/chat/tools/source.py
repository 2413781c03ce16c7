"""Text that arrives in pieces, for parsers that are generators: they yield where they need more of it.

A parser sees the same characters whatever the pieces were, so its result cannot depend on them.
"""

import re
from collections.abc import Callable, Generator
from typing import NamedTuple, TypeVar

from proxy.chat.tools.scanning import JsonScanner

_T = TypeVar("_T")
Steps = Generator[None, None, _T]

BLANKS = " \t\r\n"
FENCE = "```"
IMITATIONS = ("[result of ", "[error of ")
_HEAD = 400  # characters at the beginning of a value by which it is recognised


class Value(NamedTuple):
    """A JSON value as it was written. *is_half*: the answer ended within it, and more than brackets may be missing."""

    text: str
    is_half: bool = False


class Source:
    """What has arrived and was not taken yet; `raw` holds all that came."""

    def __init__(self) -> None:
        self.raw: list[str] = []
        self.has_ended = False
        self.was_cut = False  # it ended before the model was done
        self._text = ""
        self._at = 0

    def feed(self, piece: str) -> None:
        """Add *piece*."""
        self.raw.append(piece)
        self._text = self._text[self._at :] + piece
        self._at = 0

    def finish(self, *, cut: bool) -> None:
        """There will be no more."""
        self.has_ended, self.was_cut = True, cut

    def more(self) -> Steps[bool]:
        """Wait for more; False where there will be none."""
        if self.has_ended:
            return False
        yield
        return True

    def peek(self, count: int) -> Steps[str]:
        """The next *count* characters, fewer at the end, without taking them."""
        while len(self._text) - self._at < count and (yield from self.more()):
            pass
        return self._text[self._at : self._at + count]

    def skip(self, characters: str) -> Steps[str]:
        """Take what follows as long as it is one of *characters*; what comes after it, or nothing at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in characters:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not (yield from self.more()):
                return ""

    def begins(self, *words: str) -> Steps[bool]:
        """Whether one of *words* comes next, after three blanks at most."""
        count = 0
        while True:
            count += 1
            ahead = yield from self.peek(count)
            text = ahead.lstrip(" ")
            if text.startswith(words):
                return True
            if len(ahead) < count or len(ahead) - len(text) > 3 or not any(word.startswith(text) for word in words):
                return False

    @property
    def is_exhausted(self) -> bool:
        """Whether the answer ended and all of it was taken."""
        return self._at == len(self._text)

    def take(self, count: int) -> None:
        """Take characters that were peeked at."""
        self._at += count

    def give_back(self, text: str) -> None:
        """Have *text*, which was taken last, come next again."""
        self._text, self._at = text + self._text[self._at :], 0

    def until(self, pattern: re.Pattern[str], longest: int) -> Steps[tuple[str, bool]]:
        """Take all before the first match of *pattern*, which is no longer than *longest*; whether there is one."""
        taken: list[str] = []
        while True:
            match = pattern.search(self._text, self._at)
            if match or self.has_ended:
                end = match.start() if match else len(self._text)
                taken.append(self._text[self._at : end])
                self._at = end
                return "".join(taken), match is not None
            keep = max(self._at, len(self._text) - longest)
            taken.append(self._text[self._at : keep])
            self._at = keep
            yield from self.more()

    def value(self, may_be: Callable[[str, int], bool] | None = None) -> Steps[Value | None]:
        """Take the JSON value that begins here; None as soon as *may_be* rejects its beginning, or its length so far.

        A line that closes a fence or imitates a result ends it too, but inside a string, where it may be meant.
        """
        scanner, taken = JsonScanner(), []
        head, size = "", 0
        while True:
            at = self._text.find("\n", self._at)
            line = self._text[self._at : at + 1] if at >= 0 else self._text[self._at :]
            end = scanner.feed(line)
            read = line if end < 0 else line[:end]
            size += len(read)
            head = head if len(head) >= _HEAD else (head + read)[:_HEAD]
            if may_be is not None and not may_be(head, size):
                return None
            if end >= 0:
                self._at += end
                taken.append(line[:end])
                return Value("".join(taken))
            self._at += len(line)
            taken.append(line)
            if at >= 0 and not scanner.in_string and (yield from self.begins(FENCE, *IMITATIONS)):
                return Value("".join(taken))
            if self._at == len(self._text) and not (yield from self.more()):
                text = "".join(taken)
                lacks_one = scanner.depth == 1 and not scanner.in_string and text.rstrip()[-1:] in ("}", "]")
                return Value(text, is_half=self.was_cut or not lacks_one)
