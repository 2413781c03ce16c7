"""Ending an answer where the client wants it to end: at a stop sequence, or after so many tokens."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

from proxy.chat.tokens import estimate_tokens


class Cutter:
    """Passes text on until it is to end; `reason` then says why, and `stop` at which sequence. Tokens are estimated,
    like everything counted here.

    Text that may be the beginning of a stop sequence is held back until it is clear that it is none.
    """

    def __init__(self, stops: Sequence[str] = (), max_tokens: int | None = None) -> None:
        self._stops = tuple(stops)
        self._max_tokens = max_tokens
        self._weigh_at = max_tokens or 0  # no text has more tokens than this many characters before it is weighed
        self._passed = ""  # kept only where tokens are counted
        self._held = ""
        self.reason: Literal["stop", "length"] | None = None
        self.stop: str | None = None
        self.has_fed = False

    def feed(self, text: str) -> str:
        """The part of *text*, and of what was held back, that is to be sent."""
        if self.reason:
            return ""
        self.has_fed = True
        text = self._held + text
        self._held = ""
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            _, at, self.stop = min(found)  # that is complete first, whatever the pieces
            self.reason = "stop"
            return self._limited(text[:at])
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)  # may begin a stop sequence
        self._held = text[len(text) - keep :]
        return self._limited(text[: len(text) - keep])

    def end(self) -> str:
        """What was still held back when the answer ended by itself."""
        rest, self._held = self._held, ""
        return self._limited(rest) if not self.reason else ""

    def _limited(self, text: str) -> str:
        if self._max_tokens is None:
            return text
        before = len(self._passed)
        self._passed += text
        if len(self._passed) < self._weigh_at:
            return text
        tokens = estimate_tokens(self._passed)
        if tokens <= self._max_tokens:
            self._weigh_at = len(self._passed) + max(1, (self._max_tokens - tokens) // 4)
            return text
        self.reason, self.stop = "length", None
        return self._passed[before : max(before, self._fitting(self._max_tokens))]

    def _fitting(self, limit: int) -> int:
        """The length of the longest beginning of what has passed that has at most *limit* tokens."""
        lengths = range(1, len(self._passed) + 1)
        return bisect_right(lengths, limit, key=lambda length: estimate_tokens(self._passed[:length]))


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of *text* begin *stop*, without being all of it."""
    at = text.find(stop[0], max(len(text) - len(stop) + 1, 0))
    while at >= 0 and not stop.startswith(text[at:]):
        at = text.find(stop[0], at + 1)
    return len(text) - at if at >= 0 else 0
