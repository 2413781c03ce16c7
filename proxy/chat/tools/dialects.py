"""Calls in tags, as models write them that were trained on another format than the one asked for.

One machine reads all of them, since they are made of the same parts: wrappers that mean nothing (`<tool_call>`,
`<function_calls>`, `[TOOL_CALLS]`), what names a tool (`<invoke name=…>`, `<function=…>`, `<tool_name>`, a bare name),
parameters one by one (`<parameter name=…>`, `<arg_key>`), and JSON that is a whole call or the arguments of the tool
named before.
"""

import re
from typing import Any

from proxy.chat.tools.desk import Desk
from proxy.chat.tools.mending import Broken, read_json
from proxy.chat.tools.shapes import Asked
from proxy.chat.tools.source import BLANKS, Source, Steps, Value
from proxy.chat.tools.tags import OPENERS, PREFIXES, Tag, read_tag

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


def tagged_calls(source: Source, desk: Desk) -> Steps[bool]:
    """Calls in any of these dialects, or more of them: claimed once one names a declared tool."""
    return (yield from _Reading(source, desk).run())


class _Reading:
    """One run of the machine. A step returns True where the text goes on, False where calls are over."""

    def __init__(self, source: Source, desk: Desk) -> None:
        self._source = source
        self._desk = desk
        self._named: str | None = None  # the tool whose arguments come next
        self._parameters: dict[str, Any] = {}
        self._is_claimed = desk.calls > 0
        self._is_wrapped = False

    def run(self) -> Steps[bool]:
        source, desk = self._source, self._desk
        while not desk.is_full:
            head = yield from source.skip(BLANKS + ",;")
            if not head:
                self._end()
                return True
            if head == "<":
                goes_on = yield from self._tag()
            elif head in "{[":
                goes_on = yield from self._bracket()
            elif head == "`":
                yield from source.until(_FENCE_END, 1)  # around the arguments
                goes_on = True
            else:
                goes_on = yield from self._word()
            if not goes_on:
                if self._parameters:
                    self._finish_call()
                return self._is_claimed
        return True

    def _end(self) -> None:
        """The answer ended: a call is whole if the model had it end here."""
        if self._named and self._parameters and not self._source.was_cut:
            self._finish_call()
        elif self._named or not self._is_claimed:
            self._desk.has_half = True

    def _finish_call(self) -> None:
        if self._named is not None:
            self._take(Asked(self._named, self._parameters))

    def _take(self, asked: Asked) -> None:
        self._desk.take(asked)
        self._named, self._parameters, self._is_claimed = None, {}, True

    def _name(self, name: str) -> bool:
        """The next call is of *name*; False if that is no tool."""
        name = _COUNTED.sub("", name)
        if self._parameters or self._named != name:
            self._finish_call()
        if not self._desk.knows(name) and not self._is_claimed:
            return False
        self._named = name
        return True

    def _bracket(self) -> Steps[bool]:
        source, desk = self._source, self._desk
        for mark in _MARKS:
            if (yield from source.begins(mark)):
                source.take(len(mark))
                if mark == _CALL_ID:  # what follows is the model's own, and names nothing here
                    yield from source.until(_WORD_END, 1)
                self._is_wrapped = True
                return True
        if self._parameters:  # its arguments are there: this is no more of them
            return False
        value = yield from source.value(None if self._named else desk.may_be_call)
        return value is not None and self._take_value(value)

    def _take_value(self, value: Value) -> bool:
        desk = self._desk
        if value.is_half:
            half = self._named is not None or desk.is_half(value)
            desk.has_half = desk.has_half or half
            self._is_claimed, self._named = self._is_claimed or half, None
            return False
        if self._named is not None:
            self._read_arguments(self._named, value.text)
            return True
        asked = desk.read(value)
        for call in asked:
            desk.take(call)
        self._is_claimed = self._is_claimed or bool(asked)
        return bool(asked)

    def _read_arguments(self, name: str, text: str) -> None:
        try:
            arguments, mended = read_json(text, close=True)
        except Broken as broken:
            self._take(Asked(name, broken=str(broken)))
        else:
            self._take(Asked(name, arguments, mended))

    def _tag(self) -> Steps[bool]:
        tag = yield from self._next_tag()
        if tag is None:
            return self._source.is_exhausted  # the answer ended within one
        return self._close(tag.name) if tag.is_closing else (yield from self._open(tag))

    def _close(self, name: str) -> bool:
        if self._named is not None and name in _ENDS_CALL:
            self._finish_call()
        return not (self._is_claimed and name in _LAST)

    def _open(self, tag: Tag) -> Steps[bool]:
        if tag.value and tag.name in _NAMING:
            is_known = self._name(tag.value)
            if tag.is_empty:
                self._finish_call()
            return is_known
        if tag.name == "tool_name" or (tag.name == "name" and self._named is None):
            text, is_whole = yield from self._source.until(_TAG, 1)
            return self._name(text) if is_whole else self._desk.may_name(text)
        if tag.name in _WRAPPERS:
            self._is_wrapped = True
            return True
        if self._named is not None:
            if not tag.is_empty:
                yield from self._parameter(self._named, tag)
            return True
        return False

    def _next_tag(self) -> Steps[Tag | None]:
        count = 1
        while True:
            ahead = yield from self._source.peek(count)
            tag = read_tag(ahead, 0)
            if tag != "more" or len(ahead) < count:
                break
            count += 1
        if tag == "more":
            self._source.take(len(ahead))
        elif tag is not None:
            self._source.take(tag.length)
            return tag
        return None

    def _parameter(self, tool: str, tag: Tag) -> Steps[None]:
        """One parameter: its value goes on to the tag that closes it, or to the next one."""
        name, is_text = tag.value or tag.name, tag.attributes.get("string")
        if tag.name == "arg_key":
            name, _ = yield from self._source.until(_TAG, 1)
            for _ in range(2):  # the end of the key, and the beginning of its value
                yield from self._source.skip(BLANKS + ":")
                yield from self._next_tag()
        end = _VALUE_END if tag.name in ("parameter", "arg_key") else re.compile(f"</{re.escape(tag.name)}")
        text, is_closed = yield from self._source.until(end, _LONGEST_END)
        call_end = None if is_closed else _BROKEN_END.search(text)
        if call_end is not None and not self._source.was_cut:
            self._source.give_back(text[call_end.start() :])
            text = text[: call_end.start()]
        elif not is_closed and (self._source.was_cut or "\n" in text.strip()):  # most sites do not tell of a cut
            self._desk.has_half = True
            self._named, self._parameters, self._is_claimed = None, {}, True
            return
        text = text.removeprefix("\n").removesuffix("\n")
        name = name.strip()
        value = _typed(text, self._desk.type_of(tool, name), is_text)
        if name not in self._parameters:
            self._parameters[name] = value
        elif isinstance(earlier := self._parameters[name], list):
            earlier.append(value)
        else:  # one by one what is a list
            self._parameters[name] = [earlier, value]

    def _word(self) -> Steps[bool]:
        """A bare name of a tool, within a wrapper."""
        if not self._is_wrapped or self._named is not None:
            return False
        word, is_whole = yield from self._source.until(_WORD_END, 1)
        if not is_whole:
            return self._desk.may_name(_COUNTED.sub("", word))
        return word == "function" or (self._desk.knows(_COUNTED.sub("", word)) and self._name(word))


def _typed(text: str, wanted: Any, is_text: str | None) -> Any:
    """The value that *text* is: text where the schema or the tag says so, else JSON where it is some."""
    types = wanted if isinstance(wanted, list) else [wanted]
    if is_text == "true" or (is_text is None and ("string" in types or wanted is None)):
        return text
    try:
        return read_json(text).value
    except Broken:
        return text
