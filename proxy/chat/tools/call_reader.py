"""Finding calls in an answer while it arrives; everything else is text, and is passed on at once.

Only what may begin a call is held back, with the blanks before it. What is claimed and what is text depends on the
characters alone, never on how they were split into chunks.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from proxy.chat.tools.call_collector import CallCollector
from proxy.chat.tools.call_detection import (
    CANDIDATES,
    CallStart,
    CodeBlock,
    Opening,
    Position,
    ReasoningMark,
    detect,
    inside_reasoning,
    is_broken_markup,
)
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.tools.text_stream import FENCE, Steps, TextStream
from shared.conversations import ToolCall

Event = str | ToolCall

_MAX_HELD_BLANKS = 256  # more blanks are text
_FENCE_LINE = 200  # characters of a line that may end a block of code
_LEAD = 16  # characters that show whether a line is quoted or indented
_SPECIAL = re.compile(r"[`~<\[{\n]|\s\Z")  # may begin a call or a line on which one may, or is blank before one
_MAX_REJECTED = 200  # false openings; after so many, calls are no longer looked for


class Verdict(NamedTuple):
    """The outcome of an answer that has ended.

    *problem* describes what was wrong, for a retry: a call that does not fit, or one that is missing.
    """

    problem: str = ""
    repaired: bool = False
    has_partial: bool = False  # a call was cut off, and was not emitted
    is_json: bool = False  # about structured output, not about a call


class CallReader:
    """Reads one answer. Feed text until `is_done`; `end` then returns the rest, and `verdict` the outcome."""

    def __init__(self, tool_config: ToolConfig, new_id: Callable[[], str]) -> None:
        """*new_id* returns the id for a new call."""
        self._tool_config = tool_config
        self._events: list[Event] = []
        self._collector = CallCollector(tool_config, new_id, self._events.append)
        self._is_active = bool(tool_config.tools)
        self.is_done = False  # the rest is not needed: the upstream can be dropped
        self._was_cut = False
        self._held = ""  # may begin a call, or are blanks before one
        self._lead = ""  # how the line begins that is not over yet
        self._is_first = True  # nothing but blanks so far, or since a thought's end
        self._is_reasoning = False  # within the reasoning
        self._block_marks = ""  # that opened the current code block
        self._rejected = 0
        self._parsing: tuple[TextStream, Steps[bool]] | None = None  # input of the current parser, and the parser
        self._opening_text = ""  # that started the parser, with the blanks before it

    def feed(self, piece: str) -> list[Event]:
        """Return the text and calls that are decided."""
        if not self._is_active:
            return [piece] if piece else []
        if self._held or self._block_marks or self._parsing or self._is_first or self.is_done or _SPECIAL.search(piece):
            self._process(piece)
            return self._take_events()
        if len(self._lead) < _LEAD:
            self._lead = (self._lead + piece)[:_LEAD]
        return [piece]

    def end(self, *, cut: bool = False) -> list[Event]:
        """Return what was held back. *cut*: the answer ended before the model was done."""
        self._was_cut = cut
        while self._parsing is not None:
            stream, steps = self._parsing
            stream.finish(cut=cut)
            self._process(self._advance(stream, steps))
        if not self.is_done:
            self._release_held()
        self.is_done = True
        return self._take_events()

    @property
    def has_calls(self) -> bool:
        """Whether there was any call."""
        return self._collector.count > 0

    @property
    def verdict(self) -> Verdict:
        """The outcome of the answer."""
        collector = self._collector
        problem = collector.problem
        if not problem and collector.has_partial and not self._was_cut:
            problem = "the call was not complete"
        if not problem and not collector.count and self._tool_config.choice.mode == "required":
            names = self._tool_config.chosen
            problem = f"a call of {' or '.join(names)} is required" if names else "a call of a tool is required"
        return Verdict(problem, collector.has_repaired, collector.has_partial)

    def _take_events(self) -> list[Event]:
        events = self._events.copy()
        self._events.clear()
        return events

    def _process(self, text: str) -> None:
        """Process *text*, alternately as prose and by parsers, until all of it is consumed."""
        while text and not self.is_done:
            if self._parsing is None:
                text = self._read(text)
            else:
                stream, steps = self._parsing
                stream.feed(text)
                text = self._advance(stream, steps)

    def _advance(self, stream: TextStream, steps: Steps[bool]) -> str:
        """Resume the parser with what it was fed; returns the text to read again if it found no calls."""
        try:
            next(steps)
        except StopIteration as stop:
            self._parsing, self.is_done = None, stop.value
            return "" if self.is_done else self._reject("".join(stream.raw))
        return ""

    def _reject(self, text: str) -> str:
        """Emit the opening, which turned out to be text; returns the rest of *text* to read."""
        self._rejected += 1
        if not self._opening_text.strip():
            self._emit(self._opening_text + text[:1])
            return text[1:]
        self._emit(self._opening_text)
        self._block_marks, self._lead = "" if self._is_reasoning else FENCE, ""
        return text

    def _read(self, piece: str) -> str:
        """Emit *piece* up to what may begin a call; returns what comes after that, for its parser."""
        text, self._held = self._held + piece, ""
        at = 0
        while at < len(text) and self._parsing is None and not self.is_done:
            at = self._emit_block(text, at) if self._block_marks else self._emit_prose(text, at)
        return text[at:]

    def _emit_prose(self, text: str, start: int) -> int:
        """Emit *text* from *start*, outside code blocks; returns the index up to which it is done."""
        at = line = start  # line: from where the present one is in this text, after *before*
        before = self._lead
        while match := CANDIDATES.search(text, at) if self._rejected < _MAX_REJECTED else None:
            found = match.start()
            newline = text.rfind("\n", at, found)
            if newline >= 0:
                line, before = newline + 1, ""
            lead = (before + text[line : min(found, line + _LEAD)])[:_LEAD]
            is_first = self._is_first and not text[start:found].strip()
            result = detect(text, found, Position(lead, text[max(start, found - 1) : found], is_first), self._collector)
            if self._is_reasoning:
                result = inside_reasoning(result)
            if not isinstance(result, int):
                return self._begin(result, text, start, found)
            self._is_first = False
            at = found + result
        self._held = text[self._emit_before(text, start, len(text)) :]
        return len(text)

    def _begin(self, opening: Opening, text: str, start: int, found: int) -> int:
        """Emit *text* from *start*, and begin what *opening* at *found* opens; returns the index up to which it is
        done."""
        if isinstance(opening, CodeBlock | ReasoningMark):
            end = found + opening.length
            self._emit(text[start:end])
            if isinstance(opening, CodeBlock):
                self._block_marks, self._lead = opening.marks, "" if text[end - 1] == "\n" else "-"
            else:
                self._is_first, self._is_reasoning = True, not opening.is_over
            return end
        end = self._emit_before(text, start, found)
        if isinstance(opening, CallStart):
            begin = found + opening.skip
            self._opening_text = text[end:begin]
            stream = TextStream()
            self._parsing = stream, opening.parser(stream, self._collector)
            return begin
        if opening == "more":
            self._held = text[end:]
        elif self._is_first:  # what stands below the imitation is the answer
            return text.index("]", found) + 1
        else:
            self.is_done = True
        return len(text)

    def _emit_before(self, text: str, start: int, found: int) -> int:
        """Emit the text before *found* without the blanks at its end; returns the index of these."""
        first = max(start, found - _MAX_HELD_BLANKS)
        end = first + len(text[first:found].rstrip())
        self._emit(text[start:end])
        return end

    def _emit_block(self, text: str, start: int) -> int:
        """Emit one line of a code block, and detect the line that closes the block."""
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline + 1
        lead = (self._lead + text[start : start + _FENCE_LINE])[:_FENCE_LINE]
        self._emit(text[start:end])
        self._lead = lead if newline < 0 else ""
        marks = lead.partition("\n")[0].strip()
        if newline >= 0 and len(marks) >= len(self._block_marks) and not marks.strip(self._block_marks[0]):
            self._block_marks = ""
        return end

    def _release_held(self) -> None:
        """Emit what was held back at the end of the answer, unless it is incomplete markup."""
        held, self._held = self._held, ""
        if is_broken_markup(held.lstrip()):
            self._collector.has_partial = True
        else:
            self._emit(held)

    def _emit(self, text: str) -> None:
        """Emit text, and remember how its last line begins."""
        if not text:
            return
        newline = text.rfind("\n")
        self._lead = text[newline + 1 :][:_LEAD] if newline >= 0 else (self._lead + text[:_LEAD])[:_LEAD]
        self._is_first = self._is_first and text.isspace()
        self._events.append(text)
