"""Parsing large JSON in many short steps, so that other threads can run between them.

A fast parser reads 30 MB in one step, which blocks everything else. Here no step takes more than one chunk of the text,
and the number of values is limited: freeing millions of empty lists would take long, too.
"""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import Any

import orjson

MAX_VALUES = 400_000  # of texts to embed, OpenAI takes 300,000 tokens, which clients may send as numbers
MAX_DEPTH = 1000
MAX_TEXT = 4 * 1024 * 1024  # characters; what is no text but a picture, a sound or a file may have more
MAX_DATA = 32 * 1024 * 1024
DATA_KEYS = ("data", "file_data")  # of base64; anywhere else it is data where it is a data URL
CHUNK = 128 * 1024  # bytes looked at in one step

_SPACE = re.compile(rb"[ \t\n\r]{0,65536}+")
_SCALAR = re.compile(rb'[^ \t\n\r\[\]{},:"]{1,4096}+')
_HEX = rb"[0-9a-fA-F]"
_HIGH, _LOW = rb"u[dD][89abAB]" + _HEX * 2, rb"u[dD][c-fC-F]" + _HEX * 2
# A run of a string's characters. It ends before the first half of a surrogate pair if what follows is not in sight.
_RUN = re.compile(
    rb'(?:[^"\\]++|\\(?:%(high)s(?:\\%(low)s|(?=[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F]))|(?!%(high)s)u%(hex)s{4}|[^u]))*+'
    % {b"high": _HIGH, b"low": _LOW, b"hex": _HEX},
    re.DOTALL,
)
_HALF = rb"u[dD][89a-fA-F]%s{2}" % _HEX
# As much as holds no half that stands alone, or such a half.
_HALVES = re.compile(rb"((?:[^\\]++|\\(?:%s\\%s|(?!%s).))++)|\\%s" % (_HIGH, _LOW, _HALF, _HALF), re.DOTALL)


class InvalidJson(ValueError):
    """The text is no JSON; says why."""


class JsonTooLarge(ValueError):
    """It has too many values, too long texts, or too many levels; says which."""


def loads(text: bytes) -> Any:
    """Parse *text*. Raises `InvalidJson` and `JsonTooLarge`.

    Half a surrogate pair, which cannot be written as UTF-8, becomes the replacement character.
    """
    reader = _Reader(text, len(BOM_UTF8) if text.startswith(BOM_UTF8) else 0)
    value = reader.value()
    if reader.next():
        raise InvalidJson(f"unexpected character at byte {reader.at}")
    return value


def replace_lone_surrogates(text: bytes) -> bytes:
    """Replace each lone half of a surrogate pair in JSON *text* with the replacement character."""
    return _HALVES.sub(lambda found: found[1] or rb"\ufffd", text)


@dataclass(slots=True)
class _Reader:
    text: bytes
    at: int
    values: int = 0
    open: list[tuple[Any, str | None]] = field(default_factory=list)  # containers, and the key of the next value

    def next(self) -> bytes:
        """The next character that is no space; empty at the end."""
        while (end := _SPACE.match(self.text, self.at).end()) > self.at:  # type: ignore[union-attr]  # always matches
            self.at = end
        return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        while True:
            value, is_open = self._begin()
            while not is_open:
                if not self.open:
                    return value
                container, name = self.open[-1]
                if name is None:
                    container.append(value)
                else:
                    container[name] = value
                mark = self.next()
                self.at += 1
                if mark == b",":
                    if name is not None:
                        self.open[-1] = (container, self._name())
                    break
                if mark != (b"]" if name is None else b"}"):
                    raise InvalidJson(f"expected a comma or an end at byte {self.at - 1}")
                value, _ = self.open.pop()

    def _begin(self) -> tuple[Any, bool]:
        """A value, or a container whose first value is still to come (True)."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise JsonTooLarge(f"it holds more than {MAX_VALUES} values")
        mark = self.next()
        if mark == b'"':
            return self._string(self.open[-1][1] if self.open else None), False
        if mark not in (b"[", b"{"):
            return self._scalar(), False
        if len(self.open) >= MAX_DEPTH:
            raise JsonTooLarge("it is nested too deep")
        self.at += 1
        container: Any = [] if mark == b"[" else {}
        if self.next() == (b"]" if mark == b"[" else b"}"):
            self.at += 1
            return container, False
        self.open.append((container, self._name() if mark == b"{" else None))
        return container, True

    def _name(self) -> str:
        if self.next() != b'"':
            raise InvalidJson(f"expected a name at byte {self.at}")
        name = self._string(None)
        if self.next() != b":":
            raise InvalidJson(f"expected a colon at byte {self.at}")
        self.at += 1
        return name

    def _scalar(self) -> Any:
        match = _SCALAR.match(self.text, self.at)
        if match is None:
            raise InvalidJson(f"expected a value at byte {self.at}")
        self.at = match.end()
        return _parse(match[0])

    def _string(self, name: str | None) -> str:
        """Parse a string; *name*: its key in an object."""
        self.at += 1
        is_data = name in DATA_KEYS or self.text[self.at : self.at + 5].lower() == b"data:"
        limit = MAX_DATA if is_data else MAX_TEXT
        chunks: list[str] = []
        size = 0
        while True:
            run = _RUN.match(self.text, self.at, self.at + CHUNK)
            end = run.end()  # type: ignore[union-attr]  # always matches
            is_last = self.text[end : end + 1] == b'"'
            if not is_last:
                end = self._safe_cut(end)
            chunks.append(_parse(b'"%s"' % self.text[self.at : end]))
            self.at = end
            size += len(chunks[-1])
            if size > limit:
                raise JsonTooLarge(f"a text in it has more than {limit} characters")
            if is_last:
                self.at += 1
                return "".join(chunks)

    def _safe_cut(self, end: int) -> int:
        """The last index up to *end* that is between two characters."""
        while end > self.at and end < len(self.text) and self.text[end] & 0xC0 == 0x80:
            end -= 1
        if end == self.at:
            raise InvalidJson(f"a string breaks off, or is broken, at byte {end}")
        return end


def _parse(text: bytes) -> Any:
    """Parse a short *text* with the fast parser."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        repaired = replace_lone_surrogates(text)
        if repaired == text:
            raise InvalidJson(str(error)) from None
    try:
        return orjson.loads(repaired)
    except orjson.JSONDecodeError as error:
        raise InvalidJson(str(error)) from None
