"""Calls in tags, as models write them that were trained on another format than the requested one.

One parser reads all dialects, since they have the same elements: wrappers without meaning (`<tool_call>`,
`<function_calls>`, `[TOOL_CALLS]`), names of tools (`<invoke name=…>`, `<function=…>`, `<tool_name>`, a bare name),
single parameters (`<parameter name=…>`, `<arg_key>`), and JSON that is a whole call or the arguments of the tool
named before.
"""

import re
from typing import Any

from proxy.chat.tools.call_collector import CallCollector
from proxy.chat.tools.call_shapes import ParsedCall
from proxy.chat.tools.loose_json import MalformedJson, read_loose_json
from proxy.chat.tools.tags import OPENERS, PREFIXES, Tag, read_tag
from proxy.chat.tools.text_stream import BLANKS, JsonValue, Steps, TextStream

_CALL_ID = "[CALL_ID]"
_MARKS = ("[TOOL_CALLS]", "[ARGS]", _CALL_ID)
_NAMING = ("invoke", "function", "tool_call", "function_call")  # where they have a name
_LAST = {"function_calls", "tool_calls", "tool_calls_end", "tool_calls_section_end"}  # closing these, calls are over
_ENDS_CALL = {*_NAMING, *_LAST, "parameters"}
_WRAPPERS = {
    *(*OPENERS, *_NAMING, "tool", "use_tool", "tool_sep", "tool_call_end", "tool_call_argument_begin"),
    *("parameters", "arguments", "args", "input", "tool_input"),
}
_WORD_END = re.compile(r"[^\w.:-]")
_FENCE_END = re.compile(r"[^`\w]")
_TAG = re.compile(r"<")
_COUNTED = re.compile(r":\d*$")
_BARS = rf"(?:[|｜]|{'|'.join(PREFIXES)}){{0,3}}"
_CALL_END = re.compile(rf"<{_BARS}/{_BARS}(?:{'|'.join(_NAMING)})[|｜]?>")
# A value may hold the end of a call, as a file about calls does: only before another tag it is meant.
_VALUE_END = re.compile(
    rf"<{_BARS}/{_BARS}(?:parameter|arg_value)(?:\d|_?function)?(?=\W)|{_CALL_END.pattern}(?=\s{{0,20}}<)"
    rf"|\n[ \t]{{0,8}}<{_BARS}(?:parameter[ =]|arg_key>)"
)
_BROKEN_END = re.compile(rf"{_CALL_END.pattern}|</\w*\Z")  # where the answer ended without the end of a value
_LONGEST_END = 100


def tagged_calls(stream: TextStream, collector: CallCollector) -> Steps[bool]:
    """Parse calls in any of these dialects, or several of them; claimed once one names a declared tool."""
    return (yield from _TagParser(stream, collector).run())


class _TagParser:
    """The parser's state. Its steps return True where the text goes on, False where the calls are over."""

    def __init__(self, stream: TextStream, collector: CallCollector) -> None:
        self._stream = stream
        self._collector = collector
        self._tool_name: str | None = None  # the tool whose arguments come next
        self._parameters: dict[str, Any] = {}
        self._is_claimed = collector.count > 0
        self._is_wrapped = False

    def run(self) -> Steps[bool]:
        stream, collector = self._stream, self._collector
        while not collector.is_full:
            head = yield from stream.skip(BLANKS + ",;")
            if not head:
                self._end()
                return True
            if head == "<":
                goes_on = yield from self._tag()
            elif head in "{[":
                goes_on = yield from self._bracket()
            elif head == "`":
                yield from stream.until(_FENCE_END, 1)  # around the arguments
                goes_on = True
            else:
                goes_on = yield from self._word()
            if not goes_on:
                if self._parameters:
                    self._finish_call()
                return self._is_claimed
        return True

    def _end(self) -> None:
        """Handle the end of the answer: a call is complete if the model ended the answer here."""
        if self._tool_name and self._parameters and not self._stream.was_cut:
            self._finish_call()
        elif self._tool_name or not self._is_claimed:
            self._collector.has_partial = True

    def _finish_call(self) -> None:
        if self._tool_name is not None:
            self._add(ParsedCall(self._tool_name, self._parameters))

    def _add(self, call: ParsedCall) -> None:
        self._collector.add(call)
        self._tool_name, self._parameters, self._is_claimed = None, {}, True

    def _name(self, name: str) -> bool:
        """Begin a call of *name*; False if that is no tool."""
        name = _COUNTED.sub("", name)
        if self._parameters or self._tool_name != name:
            self._finish_call()
        if not self._collector.knows(name) and not self._is_claimed:
            return False
        self._tool_name = name
        return True

    def _bracket(self) -> Steps[bool]:
        stream, collector = self._stream, self._collector
        for mark in _MARKS:
            if (yield from stream.begins(mark)):
                stream.take(len(mark))
                if mark == _CALL_ID:  # what follows is the model's own, and names nothing here
                    yield from stream.until(_WORD_END, 1)
                self._is_wrapped = True
                return True
        if self._parameters:  # its arguments are there: this is no more of them
            return False
        value = yield from stream.value(None if self._tool_name else collector.may_be_call)
        return value is not None and self._take_value(value)

    def _take_value(self, value: JsonValue) -> bool:
        collector = self._collector
        if value.is_partial:
            is_call = self._tool_name is not None or collector.may_begin_call(value.text)
            collector.has_partial |= is_call
            self._is_claimed |= is_call
            self._tool_name = None
            return False
        if self._tool_name is not None:
            self._read_arguments(self._tool_name, value.text)
            return True
        calls = collector.read(value)
        collector.add(*calls)
        self._is_claimed |= bool(calls)
        return bool(calls)

    def _read_arguments(self, name: str, text: str) -> None:
        try:
            arguments, repaired = read_loose_json(text, close=True)
        except MalformedJson as broken:
            self._add(ParsedCall(name, broken=str(broken)))
        else:
            self._add(ParsedCall(name, arguments, repaired))

    def _tag(self) -> Steps[bool]:
        tag = yield from self._next_tag()
        if tag is None:
            return self._stream.is_exhausted  # the answer ended within one
        return self._close(tag.name) if tag.is_closing else (yield from self._open(tag))

    def _close(self, name: str) -> bool:
        if name in _ENDS_CALL:
            self._finish_call()
        return not (self._is_claimed and name in _LAST)

    def _open(self, tag: Tag) -> Steps[bool]:
        if tag.value and tag.name in _NAMING:
            is_known = self._name(tag.value)
            if tag.is_empty:
                self._finish_call()
            return is_known
        if tag.name == "tool_name" or (tag.name == "name" and self._tool_name is None):
            text, is_whole = yield from self._stream.until(_TAG, 1)
            return self._name(text) if is_whole else self._collector.may_become_name(text)
        if tag.name in _WRAPPERS:
            self._is_wrapped = True
            return True
        if self._tool_name is not None:
            if not tag.is_empty:
                yield from self._parameter(self._tool_name, tag)
            return True
        return False

    def _next_tag(self) -> Steps[Tag | None]:
        """Consume the tag that comes next; None if there is none, or the answer ends within it."""
        ahead = yield from self._stream.peek(1)
        while (tag := read_tag(ahead, 0)) == "more":
            count = len(ahead) + 1
            ahead = yield from self._stream.peek(count)
            if len(ahead) < count:
                self._stream.take(len(ahead))
                return None
        if tag is not None:
            self._stream.take(tag.length)
        return tag

    def _parameter(self, tool: str, tag: Tag) -> Steps[None]:
        """Parse one parameter: its value extends to the closing tag, or to the next parameter."""
        name, is_text = tag.value or tag.name, tag.attributes.get("string")
        if tag.name == "arg_key":
            name, _ = yield from self._stream.until(_TAG, 1)
            for _ in range(2):  # the end of the key, and the beginning of its value
                yield from self._stream.skip(BLANKS + ":")
                yield from self._next_tag()
        end = _VALUE_END if tag.name in ("parameter", "arg_key") else re.compile(f"</{re.escape(tag.name)}")
        text, is_closed = yield from self._stream.until(end, _LONGEST_END)
        call_end = None if is_closed else _BROKEN_END.search(text)
        if call_end is not None and not self._stream.was_cut:
            self._stream.give_back(text[call_end.start() :])
            text = text[: call_end.start()]
        elif not is_closed and (self._stream.was_cut or "\n" in text.strip()):  # most sites do not report a cut
            self._collector.has_partial = True
            self._tool_name, self._parameters, self._is_claimed = None, {}, True
            return
        text = text.removeprefix("\n").removesuffix("\n")
        name = name.strip()
        value = _parse_value(text, self._collector.parameter_type(tool, name), is_text)
        if name not in self._parameters:
            self._parameters[name] = value
        elif isinstance(earlier := self._parameters[name], list):
            earlier.append(value)
        else:  # one by one what is a list
            self._parameters[name] = [earlier, value]

    def _word(self) -> Steps[bool]:
        """Parse a bare name of a tool, within a wrapper."""
        if not self._is_wrapped or self._tool_name is not None:
            return False
        word, is_whole = yield from self._stream.until(_WORD_END, 1)
        if not is_whole:
            return self._collector.may_become_name(_COUNTED.sub("", word))
        return word == "function" or (self._collector.knows(_COUNTED.sub("", word)) and self._name(word))


def _parse_value(text: str, declared: Any, is_text: str | None) -> Any:
    """Parse the value of a parameter: text where the schema or the tag says so, else JSON if possible."""
    types = declared if isinstance(declared, list) else [declared]
    if is_text == "true" or (is_text is None and ("string" in types or declared is None)):
        return text
    try:
        return read_loose_json(text).value
    except MalformedJson:
        return text
