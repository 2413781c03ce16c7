"""JSON as models write it: read as it was meant, or not at all.

What is listed in `_TOKEN` is read exactly: nothing is guessed, lost or invented (trailing commas, comments, single and
typographic quotes, Python's literals, raw line feeds, unknown escapes, keys without quotes, missing closing brackets).
Only the rest, such as quotes that were not escaped, goes to `json-repair`. It mends more and never gives up, so what
it made is taken only if all that was written is in it, in order, and nothing else, but for quotes, commas and blanks.
It needs quadratic time for some texts and drops blanks at the ends of strings: hence the limits, and the exact way
before it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from proxy.chat.tools.scanning import JsonScanner
from proxy.chat.tools.schema import too_deep

_REPAIR_CHARS = 16_000
_REPAIR_BRACKETS = 250  # of texts like this json-repair takes at most about 100 ms

_TOKEN = re.compile(
    r"""
      (?P<blank> \s+ | //[^\n]* | \#[^\n]* | /\*.*?\*/ )
    | (?P<string> \"\"\"(?P<long>.*?)\"\"\" | "(?P<double>(?:[^"\\]|\\.)*+)" | '(?P<single>(?:[^'\\]|\\.)*+)'
                | “(?P<curly>(?:[^”\\]|\\.)*+)” )
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
_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
_PART = re.compile(r"""[{}\[\]:]|[^\s{}\[\]:"'“”,\\]+""")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# Made once: the functions of `json` make one for each call.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Broken(ValueError):
    """This cannot be read as JSON; the text says why, in a few words."""


class Read(NamedTuple):
    """What was read, and whether it had to be mended."""

    value: Any
    mended: bool


def read_json(text: str, *, close: bool = False) -> Read:
    """The JSON value that *text* is meant to be. Raises `Broken`.

    *close*: closing brackets may be missing at the end. A text that ends within a string or after a comma or colon
    lacks more than brackets, and is never made whole.
    """
    try:
        value, mended = _DECODER.decode(text), False
    except RecursionError:
        raise Broken("it is nested too deeply") from None
    except ValueError as error:
        value, mended = _mended(text, close, error), True
    if too_deep(value):
        raise Broken("it is nested too deeply")
    if "\\u" in text:
        value = _DECODER.decode(dump_json(value))  # half a pair of surrogates is no text
    return Read(value, mended)


def dump_json(value: Any) -> str:
    """*value* as compact JSON. Raises `Broken` for numbers that JSON cannot say."""
    try:
        text = _ENCODER.encode(value)
    except (ValueError, RecursionError) as error:
        raise Broken(str(error)) from None
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _mended(text: str, close: bool, error: ValueError) -> Any:
    try:
        return _DECODER.decode(_Loose(text).strict(close))
    except (ValueError, RecursionError):
        pass
    if len(text) <= _REPAIR_CHARS and sum(map(text.count, "[{")) <= _REPAIR_BRACKETS and _is_whole(text):
        from json_repair import repair_json

        try:
            value = repair_json(text, return_objects=True, skip_json_loads=True)
        except (ValueError, RecursionError):
            value = ""
        if isinstance(value, (dict, list)) and _holds_all(value, text):
            return value
    raise Broken(_told(text, error)) from None


def _told(text: str, error: ValueError) -> str:
    """What is wrong with *text*, with the place where it is."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)[:200]
    place = text[max(0, error.pos - 20) : error.pos + 20]
    return f"{error.msg} at {json.dumps(place, ensure_ascii=False)}"


def _is_whole(text: str) -> bool:
    """Whether no bracket is missing: json-repair would add it, and what was cut off would be a value."""
    return JsonScanner().feed(text) == len(text.rstrip())


class _Loose:
    """Writes loose JSON as strict JSON, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[str] = []
        self._out: list[str] = []

    def strict(self, close: bool) -> str:
        """The whole as JSON, which may still be none. Raises `ValueError`."""
        for match in self._tokens():
            if match["mark"]:
                self._mark(_MARKS.get(match["mark"], match["mark"]))
            elif match["string"]:
                self._out.append(_string(match))
            else:
                self._out.append(self._word(match["word"], match.end()))
        if self._open and (not close or not self._out or self._out[-1] in (",", ":")):
            raise ValueError("it is not whole")
        return " ".join([*self._out, *(_PAIRS[mark] for mark in reversed(self._open))])

    def _tokens(self) -> Iterator[re.Match[str]]:
        at = 0
        while at < len(self._text):
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise ValueError(f"unexpected {self._text[at : at + 10]!r}")
            at = match.end()
            if match["blank"] is None:
                yield match

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
        is_key = self._out and self._out[-1] in ("{", ",") and self._open and self._open[-1] == "{"
        if is_key and _COLON.match(self._text, end) and _KEY.fullmatch(word):
            return json.dumps(word)
        if not is_key and (known := _WORDS.get(word.lower())):
            return known
        if not is_key and _NO_NUMBER.fullmatch(word):
            return json.dumps(word)
        raise ValueError(f"unexpected {word[:20]!r}")


def _string(match: re.Match[str]) -> str:
    if match["long"] is not None:
        return json.dumps(match["long"])
    body = next(part for name in ("double", "single", "curly") if (part := match[name]) is not None)
    return '"' + _SPECIAL.sub(_escaped, body) + '"'


def _escaped(match: re.Match[str]) -> str:
    """What stands in a JSON string for one special character of a loose one."""
    unknown, quote, control = match.groups()
    if unknown is not None:
        return unknown if unknown == "'" else json.dumps("\\" + unknown, ensure_ascii=False)[1:-1]
    if quote or control:
        return json.dumps(quote or control)[1:-1]
    return match[0]


def _holds_all(value: Any, text: str) -> bool:
    """Whether *value* is made of all that is in *text*, and of nothing else."""
    written = [*_written(value)]
    empty = text.count('""') + text.count("''")
    return written.count("") <= empty and _parts(" ".join(written)) == _parts(text)


def _written(value: Any) -> Iterator[str]:
    """What *value* was read from: brackets, colons, keys and values, in order."""
    if isinstance(value, dict):
        yield "{"
        for key, inner in value.items():
            yield from (str(key), ":", *_written(inner))
        yield "}"
    elif isinstance(value, list):
        yield from ("[", *(part for inner in value for part in _written(inner)), "]")
    else:
        yield value if isinstance(value, str) else json.dumps(value)


def _parts(text: str) -> list[str]:
    """What is in *text* between quotes, commas, blanks and what is escaped."""
    return ["null" if part == "none" else part for part in _PART.findall(_ESCAPE.sub(" ", text).lower())]
