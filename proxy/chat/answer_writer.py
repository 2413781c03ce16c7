"""What the upstreams of one answer write to: it limits and truncates the answer, keeps it and passes it on."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Literal

from proxy.chat.emulation import Emulation
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extras, ExtrasJoiner
from proxy.chat.truncation import Truncator
from proxy.chat.upstream import Refusal, RefusalReason, Sink, StopReading
from shared.conversations import Message, ToolCall

MAX_ANSWER_CHARS = 4 * 1024 * 1024  # many times what any model writes in one answer
MAX_ANSWER_CHUNKS = 256 * 1024
LINGER_SECONDS = 5.0  # after complete calls: with the answer's end the upstream's copy can be continued

log = logging.getLogger(__name__)


class AnswerWriter:
    """The `AnswerSink` of one answer, in all its attempts together; it passes on to `sink`, which is set while it runs.

    Each attempt sets its own `truncator`; where tools are emulated, `emulation` reads its text first.
    """

    __slots__ = (
        "_answer_id",
        "_chunks",
        "_headers",
        "_length",
        "_parts",
        "_thoughts",
        "calls",
        "emulation",
        "extras",
        "first_text_at",
        "linger",
        "sink",
        "truncator",
    )

    def __init__(self, answer_id: str, headers: dict[str, str]) -> None:
        """*headers*: of the response, to which the writer adds what was left out."""
        self.sink: Sink
        self.calls: list[ToolCall] = []
        self.extras: ExtrasJoiner | None = None  # set where they are to be part of the answer's end
        self.first_text_at: float | None = None  # by `perf_counter`; of its reasoning, where that is shown
        self.truncator: Truncator | None = None
        self.emulation: Emulation | None = None
        self.linger: asyncio.Timeout | None = None  # of an emulated attempt, set once its calls are complete
        self._answer_id, self._headers = answer_id, headers
        self._parts: list[str] = []
        self._thoughts: list[str] = []  # texts of the reasoning that was passed on
        self._length = self._chunks = 0

    @property
    def has_begun(self) -> bool:
        """Whether anything of the answer has come, even if it is held back."""
        has_passed = bool(self._parts or self.calls or self._thoughts)
        return has_passed or (self.truncator is not None and self.truncator.has_fed)

    @property
    def is_truncated(self) -> bool:
        """Whether the text met its maximum of tokens."""
        return self.truncator is not None and self.truncator.reason == "length"

    @property
    def thoughts(self) -> str:
        """The reasoning that was passed on."""
        return "".join(self._thoughts)

    def message(self, message_id: str = "") -> Message:
        """The answer as a message with that id, as far as it has come."""
        text, thoughts = "".join(self._parts), "".join(self._thoughts) if self.calls else ""
        return Message(role="assistant", text=text, id=message_id, calls=tuple(self.calls), thoughts=thoughts)

    def text(self, text: str) -> bool:
        """As `Sink.text`."""
        self._length += len(text)
        self._chunks += 1
        if self._length > MAX_ANSWER_CHARS or self._chunks > MAX_ANSWER_CHUNKS:
            raise _answer_too_long()
        if self.emulation is not None:
            return self._feed(self.emulation, text)
        if self.truncator is not None or not self._parts or not text:
            return self.show(text)
        self._parts.append(text)  # most pieces of most answers: what `show` does, in one call less
        return self.sink.text(text)

    def _feed(self, emulation: Emulation, text: str) -> bool:
        wants_more = emulation.feed(text)
        if self.linger is not None and emulation.is_over():
            self.linger.reschedule(asyncio.get_running_loop().time() + LINGER_SECONDS)
            self.linger = None
        return wants_more

    def call(self, call: ToolCall) -> bool:
        """As `Sink.call`."""
        self.release_held()
        if self.first_text_at is None:
            self.first_text_at = perf_counter()
        self.calls.append(call)
        return self.sink.call(call)

    def text_with_extras(self, extras: Extras) -> bool:
        """As `Sink.text_with_extras`. Text that may be truncated, or hold calls, follows its extras."""
        self._thoughts.append(extras.reasoning_text)
        self._length += len(extras.text) + len(self._thoughts[-1])
        self._chunks += 1
        if self._length > MAX_ANSWER_CHARS or self._chunks > MAX_ANSWER_CHUNKS:
            raise _answer_too_long()
        self.first_text_at = self.first_text_at or perf_counter()
        if self.extras is not None:
            self.extras.add(extras)
        if self.emulation is not None or self.truncator is not None:
            wants_more = self.sink.text_with_extras(replace(extras, text=""))
            if self.emulation is not None:
                return self._feed(self.emulation, extras.text) and wants_more
            return self.show(extras.text) and wants_more
        if extras.text:
            self._parts.append(extras.text)
        return self.sink.text_with_extras(extras)

    async def ready(self) -> None:
        """As `Sink.ready`."""
        await self.sink.ready()

    def dropped(self, what: Literal["messages", "images"], count: int) -> None:
        """As `AnswerSink.dropped`."""
        self._headers[f"x-dropped-{what}"] = str(count)
        log.warning("answer %s: the oldest %d %s were left out", self._answer_id, count, what)

    def ignored(self, names: Sequence[str]) -> None:
        """As `AnswerSink.ignored`."""
        before = self._headers.get("x-ignored-params", "").split(", ")
        self._headers["x-ignored-params"] = ", ".join(dict.fromkeys(filter(None, (*before, *names))))

    def show(self, text: str) -> bool:
        """Pass *text* on to the client, up to where it is truncated. Raises `StopReading` there."""
        truncator = self.truncator
        if truncator is not None:
            if truncator.reason:
                return True
            text = truncator.feed(text)
        wants_more = True
        if text:
            if self.first_text_at is None:
                self.first_text_at = perf_counter()
            self._parts.append(text)
            wants_more = self.sink.text(text)
        if truncator is not None and truncator.reason:
            raise StopReading(truncator.reason, truncator.stop)  # leaving drops the upstream
        return wants_more

    def release_held(self) -> None:
        """Pass on what was held back as a possible stop sequence: the text is over, or goes on after a call."""
        truncator, self.truncator = self.truncator, None
        if truncator is not None and (rest := truncator.end()):
            self.show(rest)
        self.truncator = truncator


def _answer_too_long() -> Refusal:
    message = "The site failed to answer: its answer does not end."
    error = ServiceError(502, message, type="server_error", code="upstream_error")
    return Refusal(error, RefusalReason.MESSAGE, delivered=True, has_begun=True)
