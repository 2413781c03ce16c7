"""Where calls may begin in the text of an answer: lines, blocks of code and the words that open a call."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from proxy.chat.tools.code import code_fence
from proxy.chat.tools.desk import Desk
from proxy.chat.tools.dialects import tagged_calls
from proxy.chat.tools.fences import calls_fence, json_calls
from proxy.chat.tools.source import FENCE, IMITATIONS, Source, Steps
from proxy.chat.tools.tags import FIRST_LETTERS, opens_call

Parser = Callable[[Source, Desk], Steps[bool]]

CANDIDATE = re.compile(r"[`~<\[{]")
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


class Opening(NamedTuple):
    """Calls may begin here: *parser* reads what comes after *skip* characters."""

    parser: Parser
    skip: int = 0


class Block(NamedTuple):
    """A block of code begins: all up to a line of at least as many marks is text."""

    marks: str
    length: int  # of the opening line


class Thought(NamedTuple):
    """What some models write of their thoughts begins here, or ends: the answer begins behind it."""

    length: int  # of the mark
    is_over: bool


Look = Opening | Block | Thought | Literal["more", "imitation"] | int  # int: so many characters are text


class Place(NamedTuple):
    """Where something stands: what comes before it on its line (enough to tell a quote), and just before it."""

    lead: str
    before: str
    is_first: bool  # nothing but blanks came before

    @property
    def starts_line(self) -> bool:
        """Whether there are only blanks before it on its line."""
        return not self.lead.strip(" \t")

    @property
    def is_indented(self) -> bool:
        """Whether it is in a block of code made by indentation."""
        return self.starts_line and ("\t" in self.lead or len(self.lead) > 3)


def look(text: str, at: int, place: Place, desk: Desk) -> Look:
    """What begins at *at*; `"more"` where the text ends too early to tell."""
    if place.lead.lstrip(" ").startswith(">"):
        return 1
    match text[at]:
        case "`":
            return _backticks(text, at, place)
        case "~":
            return _tildes(text, at) if place.starts_line else 1
        case "<":
            return _angle(text, at, place) if place.before != "`" else 1
        case "[":
            return _bracket(text, at, place, desk)
        case _:
            return Opening(json_calls) if place.is_first else 1


def in_thought(result: Look) -> Look:
    """What `look` found, within a thought: it quotes what tools gave, and may leave blocks of code open. Its calls are
    drafts."""
    if isinstance(result, Opening) and result.parser is not json_calls:
        return Opening(_drafted(result.parser), result.skip)
    if isinstance(result, Opening):
        return len(FENCE) if result.skip else 1
    if isinstance(result, Block):
        return len(result.marks)
    return 1 if result == "imitation" else result


def _drafted(parser: Parser) -> Parser:
    """*parser* for drafts: calls if their thought never ends, since they are all that comes of it."""

    def parse(source: Source, desk: Desk) -> Steps[bool]:
        text, is_draft = yield from source.until(_DRAFT_END, len(_THOUGHT_END))
        source.give_back(text)
        if not is_draft and source.was_cut:  # nobody knows
            desk.has_half = True
            return True
        return not is_draft and (yield from parser(source, desk))

    return parse


def _run(text: str, at: int) -> int:
    """How many characters like the one at *at* stand there; of very many, the first ones."""
    end = at
    while end < len(text) and end - at < _MAX_MARKS and text[end] == text[at]:
        end += 1
    return end - at


def _backticks(text: str, at: int, place: Place) -> Look:
    count = _run(text, at)
    begin = at + count
    if begin == len(text) and count < _MAX_MARKS:
        return "more"
    is_ours = count == 3 and not place.is_indented
    if is_ours and (here := _CALLS_HERE.match(text, begin)):
        return Opening(calls_fence, here.end() - at)
    end = text.find("\n", begin, begin + _MAX_INFO)
    info = text[begin : end if end >= 0 else begin + _MAX_INFO]
    is_fence = 3 <= count < _MAX_MARKS
    if is_fence and "`" in info:
        return _code_in_line(text, at, begin + info.index("`"), count)
    if is_fence and end < 0 and len(info) < _MAX_INFO:
        return "more"
    if not is_fence or not (place.starts_line or _WORD.fullmatch(info)):
        return count
    word, length = info.strip().lower(), end + 1 - at if end >= 0 else count
    is_opening = is_ours and end >= 0 and word in _FENCES and (place.starts_line or word not in _OF_JSON)
    return Opening(_FENCES[word], length) if is_opening else Block(text[at:begin], length)


def _code_in_line(text: str, at: int, closing: int, count: int) -> Literal["more"] | int:
    """How many characters of what begins with *count* marks at *at* are text: up to those that close it, if they do."""
    marks = _run(text, closing)
    if closing + marks == len(text) and marks < _MAX_MARKS:
        return "more"
    return closing + marks - at if marks >= count else count


def _tildes(text: str, at: int) -> Look:
    count = _run(text, at)
    if at + count == len(text) and count < _MAX_MARKS:
        return "more"
    return Block("~" * count, count) if count >= 3 else count


def _angle(text: str, at: int, place: Place) -> Look:
    for mark in _THOUGHT_MARKS if place.is_first else (_THOUGHT_END,):
        if text.startswith(mark, at):
            return Thought(len(mark), is_over=mark == _THOUGHT_END)
        if mark.startswith(text[at : at + len(mark)]):
            return "more"
    opens = opens_call(text, at) if text[at + 1] in FIRST_LETTERS else False
    return opens if opens == "more" else Opening(tagged_calls) if opens else 1


def _bracket(text: str, at: int, place: Place, desk: Desk) -> Look:
    if text.startswith(_TOOL_CALLS, at):
        return Opening(tagged_calls)
    if _TOOL_CALLS.startswith(text[at : at + len(_TOOL_CALLS)]):
        return "more"
    if place.starts_line:
        match = _IMITATION.match(text, at)
        if match and desk.knows(match[1]):
            return "imitation"
        if match and match.end() < len(text):
            return "imitation" if text[match.end()] in "\r\n" else 1
        if match or _may_imitate(text[at : at + _LONGEST_IMITATION]):
            return "more"
    return Opening(json_calls) if place.is_first else 1


def _may_imitate(text: str) -> bool:
    """Whether *text*, all that is there of a line, may become one that imitates a result."""
    begins = any(word.startswith(text) or text.startswith(word) for word in IMITATIONS)
    return begins and len(text) < _LONGEST_IMITATION and not any(mark in text[11:] for mark in "] \t\r\n")


def is_remnant(held: str) -> bool:
    """Whether *held*, with which the answer ended, is markup that broke off and that nobody is to see."""
    if held.startswith("```"):
        return len(held) > 3 and _CALLS.startswith(held[3:].strip())
    if held.startswith("["):
        return len(held) > 5
    is_thought = any(mark.startswith(held) for mark in _THOUGHT_MARKS)
    return held.startswith("<｜") or (held.startswith("<") and len(held) > 4 and not is_thought)
