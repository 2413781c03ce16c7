"""Calls in fences, and JSON that is the whole answer. Each parser begins after what opened it.

A parser returns True where it claimed the text: the calls are at the desk, and the answer is over. False: it is text.
"""

import re

from proxy.chat.tools.desk import Desk
from proxy.chat.tools.dialects import tagged_calls
from proxy.chat.tools.shapes import Asked
from proxy.chat.tools.source import BLANKS, FENCE, IMITATIONS, Source, Steps, Value

LINE_END = re.compile(r"\n")
_JSON = f"{FENCE}json"
# As small models tell that they are done; and what an answer may end with that was cut within one.
_END_MARK = re.compile(r"<(?:[|｜][\w▁]{1,30}[|｜]|/s|/tool_call|end_of_turn)>")
_PART_OF_MARK = re.compile(r"<(?:[|｜][\w▁]{0,30}[|｜]?|/[a-z_]{0,9}|[a-z_]{0,11})")
_LONGEST_MARK = 34
_BETWEEN = BLANKS + ",;"


def calls_fence(source: Source, desk: Desk) -> Steps[bool]:
    """A fence that is there for calls: claimed once its first value names a declared tool."""
    is_claimed = False
    while True:
        head = yield from source.skip(_BETWEEN)
        if not head:
            desk.has_half = desk.has_half or not is_claimed
            return True
        if (yield from source.begins(*IMITATIONS)):
            return is_claimed
        if head in "{[":
            value = yield from source.value(None if is_claimed else desk.may_be_call)
            is_claimed = value is not None and _read(desk, value, is_claimed=is_claimed)
            if not is_claimed or desk.is_full:
                return is_claimed
        elif head == "<" and not is_claimed:
            return (yield from tagged_calls(source, desk))
        elif head == "`" or not is_claimed:
            return is_claimed
        else:
            yield from source.until(LINE_END, 1)  # a word between the calls


def _read(desk: Desk, value: Value, *, is_claimed: bool) -> bool:
    """Take the calls of one value; whether the fence is one of calls."""
    if value.is_half:
        if not is_claimed and not desk.is_half(value):
            return False
        desk.has_half = True
        return True
    asked = desk.read(value)
    for call in asked:
        desk.take(call)
    if not asked and is_claimed:
        desk.trouble = desk.trouble or f"this is no call of a tool: {value.text[:80]}"
    return is_claimed or bool(asked)


def json_calls(source: Source, desk: Desk) -> Steps[bool]:
    """JSON in a fence, or at the very beginning: claimed if it is nothing but calls of declared tools, and nothing
    follows but what closes them. Models that were trained on either form may leave out how it begins."""
    found: list[Asked] = []
    while True:
        head = yield from source.skip(_BETWEEN)
        if not head or (yield from source.begins(*IMITATIONS)):
            break
        if head == "<" and found:
            ahead = yield from source.peek(_LONGEST_MARK)
            if not (_END_MARK.match(ahead) or _PART_OF_MARK.fullmatch(ahead)):
                return False
            break
        if head == "`" and found:
            if not (yield from _fence_line(source)):
                return False
        elif head in "{[":
            value = yield from source.value(desk.may_be_bare_call)
            if value and value.is_half and desk.is_half(value):
                desk.has_half = True
                break
            asked = desk.read(value, bare=True) if value else []
            if not asked:
                return False
            found += asked
        else:
            return False
    for call in found:
        desk.take(call)
    if found and head == "<":  # as of Qwen's models
        yield from tagged_calls(source, desk)
    return bool(found) or desk.has_half


def _fence_line(source: Source) -> Steps[bool]:
    """Take a line that closes a fence of JSON, or opens another one."""
    line, is_whole = yield from source.until(LINE_END, 1)
    line, after = line.strip(), line.strip().removeprefix(FENCE)
    if line in (FENCE, _JSON) or _END_MARK.fullmatch(after):
        return True
    return not is_whole and (_JSON.startswith(line) or _PART_OF_MARK.fullmatch(after) is not None)
