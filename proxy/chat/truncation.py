"""Truncating an answer at a stop sequence, or after a maximum number of tokens."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from proxy.chat.tokens import estimate_tokens


class Truncator:
    """Passes text on until a limit is met; then `reason` says which, and `stop` at which sequence. Tokens are
    estimated.

    Text that may be the beginning of a stop sequence is held back until that is decided.
    """

    def __init__(self, stops: Sequence[str] = (), max_tokens: int | None = None) -> None:
        self._stops = tuple(stops)
        self._max_tokens = max_tokens
        self._count_at = max_tokens or 0  # characters; shorter text cannot have more tokens than allowed
        self._sent = ""  # kept only where tokens are counted
        self._held = ""
        self.reason: Literal["stop", "length"] | None = None
        self.stop: str | None = None
        self.has_fed = False

    def feed(self, text: str) -> str:
        """Return the part of *text*, and of what was held back, that can be sent."""
        if self.reason:
            return ""
        self.has_fed = True
        text = self._held + text
        self._held = ""
        matches = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if matches:
            _, at, self.stop = min(matches)  # the first to be complete, however the text was split
            self.reason = "stop"
            return self._limited(text[:at])
        overlap = max((_overlap(text, stop) for stop in self._stops), default=0)  # may begin a stop sequence
        self._held = text[len(text) - overlap :]
        return self._limited(text[: len(text) - overlap])

    def end(self) -> str:
        """Return what is still held back when the answer has ended by itself."""
        rest, self._held = self._held, ""
        return self._limited(rest) if not self.reason else ""

    def _limited(self, text: str) -> str:
        if self._max_tokens is None:
            return text
        before = len(self._sent)
        self._sent += text
        if len(self._sent) < self._count_at:
            return text
        tokens = estimate_tokens(self._sent)
        if tokens <= self._max_tokens:
            self._count_at = len(self._sent) + max(1, (self._max_tokens - tokens) // 4)
            return text
        self.reason, self.stop = "length", None
        return self._sent[before : max(before, self._longest_within(self._max_tokens))]

    def _longest_within(self, limit: int) -> int:
        """Length of the longest prefix of the sent text that has at most *limit* tokens."""
        lengths = range(1, len(self._sent) + 1)
        return bisect_right(lengths, limit, key=lambda length: estimate_tokens(self._sent[:length]))


def _overlap(text: str, stop: str) -> int:
    """Number of characters at the end of *text* that begin *stop*, without being all of it."""
    at = text.find(stop[0], max(len(text) - len(stop) + 1, 0))
    while at >= 0 and not stop.startswith(text[at:]):
        at = text.find(stop[0], at + 1)
    return len(text) - at if at >= 0 else 0
