"""Reading a large JSON text in many short steps, so that other threads get their turn between them.

A fast parser reads 30 MB in one step, in which nobody else does anything. Here no step takes more than a piece of the
text, and what is made is bounded: millions of empty lists would take long to let go of, too.
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
DATA_NAMES = ("data", "file_data")  # of base64; anywhere else it is data where it is a data URL
PIECE = 128 * 1024  # bytes looked at in one step

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


class NoJson(ValueError):
    """The text is no JSON; says why."""


class TooMuchJson(ValueError):
    """It holds more values or longer texts, or is nested deeper, than anybody needs; says which."""


def loads(text: bytes) -> Any:
    """The value that *text* spells. Raises `NoJson` and `TooMuchJson`.

    Half a surrogate pair, which cannot be written as UTF-8, becomes the replacement character.
    """
    reader = _Reader(text, len(BOM_UTF8) if text.startswith(BOM_UTF8) else 0)
    value = reader.value()
    if reader.next():
        raise NoJson(f"unexpected character at byte {reader.at}")
    return value


def whole_pairs(text: bytes) -> bytes:
    """JSON *text* with the replacement character for each half of a surrogate pair that stands alone."""
    return _HALVES.sub(lambda found: found[1] or rb"\ufffd", text)


@dataclass(slots=True)
class _Reader:
    text: bytes
    at: int
    values: int = 0
    open: list[tuple[Any, str | None]] = field(default_factory=list)  # containers, and the name of what is to come

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
                    raise NoJson(f"expected a comma or an end at byte {self.at - 1}")
                value, _ = self.open.pop()

    def _begin(self) -> tuple[Any, bool]:
        """A value, or a container whose first value is to come (True)."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise TooMuchJson(f"it holds more than {MAX_VALUES} values")
        mark = self.next()
        if mark == b'"':
            return self._string(self.open[-1][1] if self.open else None), False
        if mark not in (b"[", b"{"):
            return self._scalar(), False
        if len(self.open) >= MAX_DEPTH:
            raise TooMuchJson("it is nested too deep")
        self.at += 1
        container: Any = [] if mark == b"[" else {}
        if self.next() == (b"]" if mark == b"[" else b"}"):
            self.at += 1
            return container, False
        self.open.append((container, self._name() if mark == b"{" else None))
        return container, True

    def _name(self) -> str:
        if self.next() != b'"':
            raise NoJson(f"expected a name at byte {self.at}")
        name = self._string(None)
        if self.next() != b":":
            raise NoJson(f"expected a colon at byte {self.at}")
        self.at += 1
        return name

    def _scalar(self) -> Any:
        found = _SCALAR.match(self.text, self.at)
        if found is None:
            raise NoJson(f"expected a value at byte {self.at}")
        self.at = found.end()
        return _read(found[0])

    def _string(self, name: str | None) -> str:
        """A text, of that name where it has one."""
        self.at += 1
        is_data = name in DATA_NAMES or self.text[self.at : self.at + 5].lower() == b"data:"
        limit = MAX_DATA if is_data else MAX_TEXT
        pieces: list[str] = []
        size = 0
        while True:
            run = _RUN.match(self.text, self.at, self.at + PIECE)
            end = run.end()  # type: ignore[union-attr]  # always matches
            is_last = self.text[end : end + 1] == b'"'
            if not is_last:
                end = self._safe_cut(end)
            pieces.append(_read(b'"%s"' % self.text[self.at : end]))
            self.at = end
            size += len(pieces[-1])
            if size > limit:
                raise TooMuchJson(f"a text in it has more than {limit} characters")
            if is_last:
                self.at += 1
                return "".join(pieces)

    def _safe_cut(self, end: int) -> int:
        """Where a piece may end that would end at *end*: between characters."""
        while end > self.at and end < len(self.text) and self.text[end] & 0xC0 == 0x80:
            end -= 1
        if end == self.at:
            raise NoJson(f"a string breaks off, or is broken, at byte {end}")
        return end


def _read(text: bytes) -> Any:
    """What the fast parser makes of a short *text*."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        repaired = whole_pairs(text)
        if repaired == text:
            raise NoJson(str(error)) from None
    try:
        return orjson.loads(repaired)
    except orjson.JSONDecodeError as error:
        raise NoJson(str(error)) from None
