"""Reading JSON as models write it: exactly as it was meant, or not at all.

Nothing is guessed, lost or invented. Accepted are trailing commas, comments, single, typographic and missing quotes,
Python's literals, raw line feeds, unknown escapes and missing closing brackets. Only what fails with these is read once
more with unescaped quotes in texts, and with missing commas.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from proxy.chat.nesting import is_too_deep

_TOKEN = re.compile(
    r"""
      (?P<blank> \s+ | //[^\n]* | \#[^\n]* | /\*.*?\*/ )
    | \"\"\"(?P<long>.*?)\"\"\"
    | "(?P<double>(?:[^"\\]|\\.)*+)" | '(?P<single>(?:[^'\\]|\\.)*+)' | “(?P<curly>(?:[^”\\]|\\.)*+)”
    | (?P<mark> [{}\[\]:,：，] )
    | (?P<word> [^\s{}\[\]:,"'“”：，/\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_MARKS = {"：": ":", "，": ","}
_PAIRS = {"{": "}", "[": "]"}
_WORDS = {"true": "true", "false": "false", "null": "null", "none": "null"}
_NO_NUMBER = re.compile(r"nan|[+-]?inf(?:inity)?", re.IGNORECASE)  # to JSON; kept as the words that they are
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_KEY = re.compile(r"[^\W\d][\w$-]*")
_COLON = re.compile(r"\s*[:：]")
_SPECIAL = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\(.)|(")|([\x00-\x1f])', re.DOTALL)

# A text with quotes in it that were not escaped. They come in pairs, apostrophes stand within words, and the text ends
# only before what can follow it in an object or a list. What looks like such an end is none of a pair.
_NO_END = r"""(?!(?<![\s(\[{=,:+>])["']\s*[,:+}\]"'])"""
_INNER = {
    '"': rf'(?>[^"\\]++|\\.|"""(?:[^"\\]|\\.|"(?!""))*+"""|{_NO_END}"(?:[^"\\]|\\.)*+")*?',
    "'": rf"(?>[^'\\]++|\\.|(?<=\w)'(?=\w)|{_NO_END}'(?:[^'\\]|\\.)*+')*?",
}
_FOLLOWING = {
    "{": r"""\s*(?:[,，]?\s*\}|(?:[,，]?\s*["']|[,，]\s*)[\w$.-]+["']?\s*[:：])""",
    "[": r"\s*[,，]?\s*\]",
}
_QUOTED = {
    (quote, mark): re.compile(f"{quote}(?P<text>{inner}){quote}(?={following})", re.DOTALL)
    for quote, inner in _INNER.items()
    for mark, following in _FOLLOWING.items()
}
_MAX_PLAIN = 50  # texts that were looked through, and have no such quotes


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# Made once: the functions of `json` make one for each call.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class MalformedJson(ValueError):
    """The text cannot be read as JSON; the message says why."""


class Repaired(NamedTuple):
    """A value, and whether it had to be repaired."""

    value: Any
    repaired: bool


def read_loose_json(text: str, *, close: bool = False) -> Repaired:
    """Parse *text* as loose JSON. Raises `MalformedJson`.

    *close*: closing brackets may be missing at the end. A text that ends within a string or after a comma or
    colon lacks more than brackets, and is never completed.
    """
    try:
        value, repaired = _DECODER.decode(text), False
    except RecursionError:
        raise MalformedJson("it is nested too deeply") from None
    except ValueError as error:
        value, repaired = _repair(text, close, error), True
    if is_too_deep(value):
        raise MalformedJson("it is nested too deeply")
    if "\\u" in text:
        value = _DECODER.decode(dump_json(value))  # half a pair of surrogates is no text
    return Repaired(value, repaired)


def dump_json(value: Any) -> str:
    """*value* as compact JSON. Raises `MalformedJson` for numbers that JSON cannot represent."""
    try:
        text = _ENCODER.encode(value)
    except (ValueError, RecursionError) as error:
        raise MalformedJson(str(error)) from None
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _repair(text: str, close: bool, error: ValueError) -> Any:
    for is_lax in (False, True):
        with suppress(ValueError, RecursionError):
            return _DECODER.decode(_LooseJson(text, is_lax=is_lax).strict(close=close))
    raise MalformedJson(_describe(text, error)) from None


def _describe(text: str, error: ValueError) -> str:
    """Describe what is wrong with *text*, with the text around the position."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)[:200]
    context = text[max(0, error.pos - 20) : error.pos + 20]
    return f"{error.msg} at {json.dumps(context, ensure_ascii=False)}"


class _LooseJson:
    """Rewrites loose JSON as strict JSON, token by token."""

    def __init__(self, text: str, *, is_lax: bool) -> None:
        """*is_lax*: allow unescaped quotes in texts, and a missing comma before a key or an object."""
        self._text, self._is_lax = text, is_lax
        self._open: list[str] = []
        self._out: list[str] = []
        self._plain = 0

    def strict(self, *, close: bool) -> str:
        """Return the whole as JSON, which may still be invalid. Raises `ValueError`."""
        for match in self._tokens():
            kind, found = match.lastgroup, match[match.lastindex or 0]
            if kind == "mark":
                if self._is_lax and found == "{" and self._out[-1:] == ["}"]:
                    self._out.append(",")
                self._mark(_MARKS.get(found, found))
                continue
            if self._is_lax and self._is_key and self._out[-1] not in ("{", ","):
                self._out.append(",")
            if kind == "word":
                self._out.append(self._word(found, match.end()))
            else:
                self._out.append(json.dumps(found) if kind == "long" else f'"{_SPECIAL.sub(_escape, found)}"')
        if self._open and (not close or self._out[-1] in (",", ":") or match.end() < len(self._text.rstrip())):
            raise ValueError("it is not whole")  # brackets behind a comment are part of it, or it is none
        return " ".join([*self._out, *(_PAIRS[mark] for mark in reversed(self._open))])

    @property
    def _is_key(self) -> bool:
        """Whether the next token can only be a key."""
        return self._open[-1:] == ["{"] and self._out[-1] != ":"

    def _tokens(self) -> Iterator[re.Match[str]]:
        at = 0
        while at < len(self._text):
            match = self._quoted(at) or _TOKEN.match(self._text, at)
            if match is None:
                raise ValueError(f"unexpected {self._text[at : at + 10]!r}")
            at = match.end()
            if match.lastgroup != "blank":
                yield match

    def _quoted(self, at: int) -> re.Match[str] | None:
        """Match the string at *at*, if there is one, with all quotes that may be part of it."""
        if not self._is_lax or not self._open or self._is_key:
            return None
        pattern = _QUOTED.get((self._text[at], self._open[-1]))
        match = pattern and pattern.match(self._text, at)
        self._plain += bool(pattern and not match)
        if self._plain > _MAX_PLAIN:
            raise ValueError("it has too many texts")
        return match

    def _mark(self, mark: str) -> None:
        if mark in "{[":
            self._open.append(mark)
        elif mark in "}]":
            if self._out and self._out[-1] == ",":
                self._out.pop()
            if not self._open or _PAIRS[self._open.pop()] != mark:
                raise ValueError("brackets do not match")
        self._out.append(mark)

    def _word(self, word: str, end: int) -> str:
        if _NUMBER.fullmatch(word):
            return word
        is_key = self._is_key
        if is_key and _COLON.match(self._text, end) and _KEY.fullmatch(word):
            return json.dumps(word)
        if not is_key and (known := _WORDS.get(word.lower())):
            return known
        if not is_key and (_NO_NUMBER.fullmatch(word) or (self._out[-1:] == [":"] and _KEY.fullmatch(word))):
            return json.dumps(word)
        raise ValueError(f"unexpected {word[:20]!r}")


def _escape(match: re.Match[str]) -> str:
    """The JSON escape for one special character of a loose string."""
    unknown, quote, control = match.groups()
    if unknown is not None:
        return unknown if unknown == "'" else json.dumps("\\" + unknown, ensure_ascii=False)[1:-1]
    if quote or control:
        return json.dumps(quote or control)[1:-1]
    return match[0]
