"""Detecting where calls may begin in the text of an answer: at lines, code blocks and the marks that open calls."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from proxy.chat.tools.call_collector import CallCollector
from proxy.chat.tools.json_calls import calls_fence, json_calls
from proxy.chat.tools.python_calls import code_fence
from proxy.chat.tools.tagged_calls import tagged_calls
from proxy.chat.tools.tags import FIRST_LETTERS, opens_call
from proxy.chat.tools.text_stream import FENCE, IMITATIONS, Steps, TextStream

Parser = Callable[[TextStream, CallCollector], Steps[bool]]

CANDIDATES = re.compile(r"[`~<\[{]")
_CALLS = "tool_calls"
_OF_JSON = ("json", "")  # fences that may hold anything else
_FENCES: dict[str, Parser] = {
    **dict.fromkeys((_CALLS, "tool_call", "tool", "tool_code", "function_call", "function_calls"), code_fence),
    **dict.fromkeys(_OF_JSON, json_calls),
}
_MAX_MARKS = 64  # more are no fence
_MAX_INFO = 200  # characters after the marks of a fence
_WORD = re.compile(r"[\w+#.-]*[ \t]*")
_CALLS_HERE = re.compile(r"[ \t]*tool_calls[ \t]*(?=[{\[])")  # without a line feed in between
_IMITATION = re.compile(r"\[(?:result|error) of ([^\s\]]{1,128})\][ \t]*")
_LONGEST_IMITATION = 150
_TOOL_CALLS = "[TOOL_CALLS]"
_THOUGHT_END = "</think>"
_DRAFT_END = re.compile(_THOUGHT_END)
_THOUGHT_MARKS = ("<think>", _THOUGHT_END)


class CallStart(NamedTuple):
    """Calls may begin here: *parser* reads the text after *skip* characters."""

    parser: Parser
    skip: int = 0


class CodeBlock(NamedTuple):
    """A code block begins: everything up to a line with at least as many marks is text."""

    marks: str
    length: int  # of the opening line


class ReasoningMark(NamedTuple):
    """A `<think>` or `</think>` mark: the answer begins after the reasoning."""

    length: int  # of the mark
    is_over: bool


Opening = CallStart | CodeBlock | ReasoningMark | Literal["more", "imitation"]
Detection = Opening | int  # an int: so many characters are text


class Position(NamedTuple):
    """A position in the text: what comes before it on its line (enough to detect a quote), and the character before
    it."""

    lead: str
    before: str
    is_first: bool  # nothing but blanks came before

    @property
    def starts_line(self) -> bool:
        """Whether only blanks precede it on its line."""
        return not self.lead.strip(" \t")

    @property
    def is_indented(self) -> bool:
        """Whether it is in an indented code block."""
        return self.starts_line and ("\t" in self.lead or len(self.lead) > 3)


def detect(text: str, at: int, position: Position, collector: CallCollector) -> Detection:
    """Detect what begins at *at*; `"more"` where the text ends too early to decide."""
    if position.lead.lstrip(" ").startswith(">"):
        return 1
    match text[at]:
        case "`":
            return _backticks(text, at, position)
        case "~":
            return _tildes(text, at) if position.starts_line else 1
        case "<":
            return _angle(text, at, position) if position.before != "`" else 1
        case "[":
            return _bracket(text, at, position, collector)
        case _:
            return CallStart(json_calls) if position.is_first else 1


def inside_reasoning(result: Detection) -> Detection:
    """Adapt the *result* of `detect` to reasoning, which quotes tool results and may leave code blocks open. Its
    calls are drafts."""
    if isinstance(result, CallStart) and result.parser is not json_calls:
        return CallStart(_draft_parser(result.parser), result.skip)
    if isinstance(result, CallStart):
        return len(FENCE) if result.skip else 1
    if isinstance(result, CodeBlock):
        return len(result.marks)
    return 1 if result == "imitation" else result


def _draft_parser(parser: Parser) -> Parser:
    """Wrap *parser* for drafts: they are calls only if the reasoning never ends, as nothing else comes then."""

    def parse(stream: TextStream, collector: CallCollector) -> Steps[bool]:
        text, is_draft = yield from stream.until(_DRAFT_END, len(_THOUGHT_END))
        stream.give_back(text)
        if not is_draft and stream.was_cut:  # undecidable
            collector.has_partial = True
            return True
        return not is_draft and (yield from parser(stream, collector))

    return parse


def _run_length(text: str, at: int) -> int:
    """Number of characters equal to the one at *at* from there on, at most `_MAX_MARKS`."""
    ahead = text[at : at + _MAX_MARKS]
    return len(ahead) - len(ahead.lstrip(ahead[0]))


def _backticks(text: str, at: int, position: Position) -> Detection:
    count = _run_length(text, at)
    begin = at + count
    if not 3 <= count < _MAX_MARKS:
        return "more" if begin == len(text) and count < _MAX_MARKS else count
    is_ours = count == 3 and not position.is_indented
    if is_ours and (here := _CALLS_HERE.match(text, begin)):
        return CallStart(calls_fence, here.end() - at)
    end = text.find("\n", begin, begin + _MAX_INFO)
    info = text[begin : end if end >= 0 else begin + _MAX_INFO]
    if "`" in info:
        return _inline_code(text, at, begin + info.index("`"), count)
    if end < 0 and len(info) < _MAX_INFO:
        return "more"
    if not (position.starts_line or _WORD.fullmatch(info)):
        return count
    word, length = info.strip().lower(), end + 1 - at if end >= 0 else count
    is_opening = is_ours and end >= 0 and word in _FENCES and (position.starts_line or word not in _OF_JSON)
    return CallStart(_FENCES[word], length) if is_opening else CodeBlock(text[at:begin], length)


def _inline_code(text: str, at: int, closing: int, count: int) -> Literal["more"] | int:
    """Number of characters of inline code that begins with *count* marks at *at*; just the marks if it is not
    closed."""
    marks = _run_length(text, closing)
    if closing + marks == len(text) and marks < _MAX_MARKS:
        return "more"
    return closing + marks - at if marks >= count else count


def _tildes(text: str, at: int) -> Detection:
    count = _run_length(text, at)
    if at + count == len(text) and count < _MAX_MARKS:
        return "more"
    return CodeBlock("~" * count, count) if count >= 3 else count


def _angle(text: str, at: int, position: Position) -> Detection:
    for mark in _THOUGHT_MARKS if position.is_first else (_THOUGHT_END,):
        if text.startswith(mark, at):
            return ReasoningMark(len(mark), is_over=mark == _THOUGHT_END)
        if mark.startswith(text[at : at + len(mark)]):
            return "more"
    opens = text[at + 1] in FIRST_LETTERS and opens_call(text, at)
    if opens == "more":
        return "more"
    return CallStart(tagged_calls) if opens else 1


def _bracket(text: str, at: int, position: Position, collector: CallCollector) -> Detection:
    if text.startswith(_TOOL_CALLS, at):
        return CallStart(tagged_calls)
    if _TOOL_CALLS.startswith(text[at : at + len(_TOOL_CALLS)]):
        return "more"
    if position.starts_line:
        match = _IMITATION.match(text, at)
        if match and collector.knows(match[1]):
            return "imitation"
        if match and match.end() < len(text):
            return "imitation" if text[match.end()] in "\r\n" else 1
        if match or _may_imitate(text[at : at + _LONGEST_IMITATION]):
            return "more"
    return CallStart(json_calls) if position.is_first else 1


def _may_imitate(text: str) -> bool:
    """Whether *text*, an incomplete line, may become an imitation of a tool result."""
    begins = any(word.startswith(text) or text.startswith(word) for word in IMITATIONS)
    return begins and len(text) < _LONGEST_IMITATION and not any(mark in text[11:] for mark in "] \t\r\n")


def is_broken_markup(held: str) -> bool:
    """Whether *held*, the end of the answer, is incomplete markup that must not be shown."""
    if held.startswith("```"):
        return len(held) > 3 and _CALLS.startswith(held[3:].strip())
    if held.startswith("["):
        return len(held) > 5
    is_thought = any(mark.startswith(held) for mark in _THOUGHT_MARKS)
    return held.startswith("<｜") or (held.startswith("<") and len(held) > 4 and not is_thought)
