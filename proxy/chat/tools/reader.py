"""Finding calls in an answer while it arrives; everything else is text, and goes on at once.

Held back is only what may begin a call, with the blanks before it. What is claimed and what is text follows from the
characters alone, never from how they came in pieces.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from proxy.chat.tools.definitions import Offer
from proxy.chat.tools.desk import Desk
from proxy.chat.tools.openings import CANDIDATE, Block, Opening, Place, Thought, in_thought, is_remnant, look
from proxy.chat.tools.source import FENCE, Source, Steps
from shared.conversations import Call

Event = str | Call

_HOLDABLE = 256  # blanks that are held back; of more, the first ones are text
_FENCE_LINE = 200  # characters of a line that may end a block of code
_LEAD = 16  # characters of a line that tell whether it is quoted or indented
_SPECIAL = re.compile(r"[`~<\[{\n]|\s\Z")  # may begin a call or a line on which one may, or is blank before one
_MAX_FAILED = 200  # openings that were none: after so many, what may begin a call is no longer looked for


class Verdict(NamedTuple):
    """What became of an answer once it has ended.

    *trouble* says in a few words what was wrong, for one more try: a call that does not fit, a call that is missing.
    """

    trouble: str = ""
    mended: bool = False
    has_half: bool = False  # a call was cut off, and is not among those that were given
    of_json: bool = False  # the trouble is with the JSON that was asked for, not with a call


class Reader:
    """Reads one answer. Feed text until `is_done`; `end` then gives the rest, and `verdict` what to make of it."""

    def __init__(self, offer: Offer, new_id: Callable[[], str]) -> None:
        """*new_id* gives the id of each call."""
        self._offer = offer
        self._desk = Desk(offer, new_id)
        self._is_active = bool(offer.tools)
        self.is_done = False  # what follows is not wanted: the upstream can be dropped
        self._was_cut = False
        self._held = ""  # may begin a call, or are blanks before one
        self._lead = ""  # how the line begins that is not over yet
        self._is_first = True  # nothing but blanks so far, or since a thought's end
        self._thinks = False  # in what the model thought first
        self._block = ""  # the marks that opened the block of code we are in
        self._failed = 0
        self._parsing: tuple[Source, Steps[bool]] | None = None  # what a parser is reading, and the parser
        self._opening = ""  # the text that the parser was called for, with the blanks before
        self._events: list[Event] = []

    def feed(self, piece: str) -> list[Event]:
        """The text and the calls that can be given now."""
        if not self._is_active:
            return [piece] if piece else []
        if self._held or self._block or self._parsing or self._is_first or self.is_done or _SPECIAL.search(piece):
            self._work(piece)
            return self._taken()
        if len(self._lead) < _LEAD:
            self._lead = (self._lead + piece)[:_LEAD]
        return [piece]

    def end(self, *, cut: bool = False) -> list[Event]:
        """What was held back. *cut*: the answer ended before the model was done."""
        self._was_cut = cut
        while self._parsing is not None and not self.is_done:
            source, steps = self._parsing
            source.finish(cut=cut)
            self._work(self._advance(source, steps))
        if not self.is_done:
            self._release_held()
        self.is_done = True
        return self._taken()

    @property
    def has_calls(self) -> bool:
        """Whether any call was given."""
        return self._desk.calls > 0

    @property
    def verdict(self) -> Verdict:
        """What became of the answer."""
        desk = self._desk
        trouble = desk.trouble
        if not trouble and desk.has_half and not self._was_cut:
            trouble = "the call was not complete"
        if not trouble and not desk.calls and self._offer.choice.mode == "required":
            names = self._offer.chosen
            trouble = f"a call of {' or '.join(names)} is required" if names else "a call of a tool is required"
        return Verdict(trouble, desk.has_mended, desk.has_half)

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _work(self, text: str) -> None:
        """Read *text*, by turns as prose and by parsers, until all of it was dealt with."""
        while text and not self.is_done:
            if self._parsing is None:
                text = self._read(text)
            else:
                source, steps = self._parsing
                source.feed(text)
                text = self._advance(source, steps)

    def _advance(self, source: Source, steps: Steps[bool]) -> str:
        """Let the parser go on with what it was fed; the text to be read again if it found no calls."""
        is_claimed: bool | None = None
        try:
            next(steps)
        except StopIteration as stop:
            is_claimed = stop.value
        self._events += self._desk.found
        self._desk.found.clear()
        if is_claimed is None:
            return ""
        self._parsing = None
        if is_claimed:
            self.is_done = True
            return ""
        self._failed += 1
        return self._reject("".join(source.raw))

    def _reject(self, text: str) -> str:
        """Pass on what the parser was called for, which is text; what is left to be read of *text*."""
        opening, self._opening = self._opening, ""
        if not opening.strip():
            self._pass(opening + text[:1])
            return text[1:]
        self._pass(opening)
        self._block, self._lead = "" if self._thinks else FENCE, ""
        return text

    def _read(self, piece: str) -> str:
        """Pass *piece* on up to what may begin a call; what comes after that is for its parser."""
        text, self._held = self._held + piece, ""
        at = 0
        while at < len(text) and self._parsing is None and not self.is_done:
            at = self._pass_block(text, at) if self._block else self._pass_prose(text, at)
        return text[at:]

    def _pass_prose(self, text: str, start: int) -> int:
        """Pass *text* on from *start*, outside blocks of code; the place up to which it was dealt with."""
        at, line = start, -1  # line: where the present one begins, if it does so in this text
        while match := CANDIDATE.search(text, at) if self._failed < _MAX_FAILED else None:
            found = match.start()
            newline = text.rfind("\n", at, found)
            line = newline + 1 if newline >= 0 else line
            lead = (
                text[line : min(found, line + _LEAD)]
                if line >= 0
                else self._lead + text[start : min(found, start + _LEAD)]
            )
            is_first = self._is_first and not text[start:found].strip()
            result = look(text, found, Place(lead[:_LEAD], text[start:found][-1:], is_first), self._desk)
            if self._thinks:
                result = in_thought(result)
            if isinstance(result, int):
                self._is_first = False
                at = found + result
            elif result == "more":
                self._held = text[self._pass_before(text, start, found) :]
                return len(text)
            elif isinstance(result, Block | Thought):
                self._pass(text[start : found + result.length])
                if isinstance(result, Block):
                    self._block, self._lead = result.marks, "" if text[found + result.length - 1] == "\n" else "-"
                else:
                    self._is_first, self._thinks = True, not result.is_over
                return found + result.length
            elif result == "imitation":
                self._pass_before(text, start, found)
                if is_first:  # what stands below it is the answer
                    return text.index("]", found) + 1
                self.is_done = True
                return len(text)
            else:
                blanks = text[self._pass_before(text, start, found) : found]
                return self._enter(result, text, found, blanks)
        self._held = text[self._pass_before(text, start, len(text)) :]
        return len(text)

    def _pass_before(self, text: str, start: int, found: int) -> int:
        """Pass what comes before *found* on, but for the blanks at its end; where they begin."""
        first = max(start, found - _HOLDABLE)
        end = first + len(text[first:found].rstrip())
        self._pass(text[start:end])
        return end

    def _enter(self, opening: Opening, text: str, found: int, blanks: str) -> int:
        """Begin to read what may be calls; where that begins."""
        begin = found + opening.skip
        self._opening = blanks + text[found:begin]
        source = Source()
        self._parsing = source, opening.parser(source, self._desk)
        return begin

    def _pass_block(self, text: str, start: int) -> int:
        """Pass one line of a block of code on; only the line that ends the block matters."""
        newline = text.find("\n", start)
        end = len(text) if newline < 0 else newline + 1
        lead = (self._lead + text[start : start + _FENCE_LINE])[:_FENCE_LINE]
        self._pass(text[start:end])
        self._lead = lead if newline < 0 else ""
        marks = lead.partition("\n")[0].strip()
        if newline >= 0 and len(marks) >= len(self._block) and not marks.strip(self._block[0]):
            self._block = ""
        return end

    def _release_held(self) -> None:
        """The answer ended with what might have begun a call; what can only be that is never shown."""
        held, self._held = self._held, ""
        if is_remnant(held.lstrip()):
            self._desk.has_half = True
        else:
            self._pass(held)

    def _pass(self, text: str) -> None:
        """Give text, and keep what tells how its last line begins."""
        if not text:
            return
        newline = text.rfind("\n")
        self._lead = text[newline + 1 :][:_LEAD] if newline >= 0 else (self._lead + text[:_LEAD])[:_LEAD]
        self._is_first = self._is_first and text.isspace()
        self._events.append(text)
