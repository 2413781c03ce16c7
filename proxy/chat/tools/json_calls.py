"""Parsers for calls as JSON, in fences or as the whole answer. Each begins after the text that opened it.

A parser returns True where it claimed the text: the calls were collected, and the answer is over. False: it is text.
"""

import re

from proxy.chat.tools.call_collector import CallCollector
from proxy.chat.tools.call_shapes import ParsedCall
from proxy.chat.tools.tagged_calls import tagged_calls
from proxy.chat.tools.text_stream import BLANKS, FENCE, IMITATIONS, JsonValue, Steps, TextStream

LINE_END = re.compile(r"\n")
_JSON = f"{FENCE}json"
# As small models tell that they are done; and what an answer may end with that was cut within one.
_END_MARK = re.compile(r"<(?:[|｜][\w▁]{1,30}[|｜]|/s|/tool_call|end_of_turn)>")
_PART_OF_MARK = re.compile(r"<(?:[|｜][\w▁]{0,30}[|｜]?|/[a-z_]{0,9}|[a-z_]{0,11})")
_LONGEST_MARK = 34
_BETWEEN = BLANKS + ",;"


def calls_fence(stream: TextStream, collector: CallCollector) -> Steps[bool]:
    """Parse a fence for calls; claimed once its first value names a declared tool."""
    is_claimed = False
    while True:
        head = yield from stream.skip(_BETWEEN)
        if not head:
            collector.has_partial |= not is_claimed
            return True
        if (yield from stream.begins(*IMITATIONS)):
            return is_claimed
        if head in "{[":
            value = yield from stream.value(None if is_claimed else collector.may_be_call)
            is_claimed = value is not None and _read(collector, value, is_claimed=is_claimed)
            if not is_claimed or collector.is_full:
                return is_claimed
        elif head == "<" and not is_claimed:
            return (yield from tagged_calls(stream, collector))
        elif head == "`" or not is_claimed:
            return is_claimed
        else:
            yield from stream.until(LINE_END, 1)  # a word between the calls


def _read(collector: CallCollector, value: JsonValue, *, is_claimed: bool) -> bool:
    """Collect the calls of one value; returns whether the fence is one of calls."""
    if value.is_partial:
        if not is_claimed and not collector.may_begin_call(value.text):
            return False
        collector.has_partial = True
        return True
    calls = collector.read(value)
    collector.add(*calls)
    if not calls and is_claimed:
        collector.problem = collector.problem or f"this is no call of a tool: {value.text[:80]}"
    return is_claimed or bool(calls)


def json_calls(stream: TextStream, collector: CallCollector) -> Steps[bool]:
    """Parse JSON in a fence, or at the beginning of the answer: claimed if it consists only of calls of declared tools,
    and only closing marks follow. Models trained on another format may leave out its opening mark."""
    found: list[ParsedCall] = []
    while True:
        head = yield from stream.skip(_BETWEEN)
        if not head or (yield from stream.begins(*IMITATIONS)):
            break
        if head == "<" and found:
            ahead = yield from stream.peek(_LONGEST_MARK)
            if not (_END_MARK.match(ahead) or _PART_OF_MARK.fullmatch(ahead)):
                return False
            break
        if head == "`" and found:
            if not (yield from _fence_line(stream)):
                return False
        elif head in "{[":
            value = yield from stream.value(collector.may_be_bare_call)
            if value and value.is_partial and collector.may_begin_call(value.text):
                collector.has_partial = True
                break
            calls = collector.read(value, bare=True) if value else []
            if not calls:
                return False
            found += calls
        else:
            return False
    collector.add(*found)
    if found and head == "<":  # as of Qwen's models
        yield from tagged_calls(stream, collector)
    return bool(found) or collector.has_partial


def _fence_line(stream: TextStream) -> Steps[bool]:
    """Take a line that closes a fence of JSON, or opens another one; returns whether it does."""
    line, is_whole = yield from stream.until(LINE_END, 1)
    line, after = line.strip(), line.strip().removeprefix(FENCE)
    if line in (FENCE, _JSON) or _END_MARK.fullmatch(after):
        return True
    return not is_whole and (_JSON.startswith(line) or _PART_OF_MARK.fullmatch(after) is not None)
