"""Lenient reading of JSON from a site, which may hold anything."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

MAX_INTEGER = 2**63 - 1  # the largest integer of a site's database
_AROUND = "\ufeff \t\r\n"  # what a site's own files may put out around an answer: blanks and byte order marks
_AROUND_BYTES = _AROUND.encode()


def read_json(text: str | bytes) -> Any:
    """Parse *text*; None for invalid JSON, or too deep a nesting.

    Byte order marks and blanks before it are passed over, in any order: each file of a site may begin with its own.
    Halves of surrogate pairs, which no UTF-8 can carry, become replacement characters.
    """
    text = text.lstrip(_AROUND_BYTES) if isinstance(text, bytes) else text.lstrip(_AROUND)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _read_leniently(text)


def _read_leniently(text: str | bytes) -> Any:
    """Parse what orjson refuses: lone surrogates, invalid UTF-8, NaN and infinities."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        return json.loads(as_utf8(json.dumps(json.loads(text), ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None


def as_utf8(text: str) -> str:
    """*text* with a replacement character for each lone surrogate."""
    try:
        text.encode()  # takes a tenth of the time of a search, and none for ASCII
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def bare(body: bytes) -> bytes:
    """*body* without the blanks and the byte order marks around it."""
    return body.strip(_AROUND_BYTES)


def read_object(text: str | bytes) -> dict[str, Any]:
    """Parse an object; empty for anything else."""
    value = read_json(text)
    return value if isinstance(value, dict) else {}


def text_at(fields: Mapping[str, Any], name: str) -> str:
    """The string at *name*; "" where it is missing or another type."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def number_at(fields: Mapping[str, Any], name: str) -> int:
    """The positive integer at *name*, or in a string of digits there; 0 for anything else."""
    value = fields.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_INTEGER)):
        value = int(value)
    return value if type(value) is int and 0 < value <= MAX_INTEGER else 0


def flag_at(fields: Mapping[str, Any], name: str) -> bool:
    """Whether the value at *name* is true, 1, "1" or "true"."""
    return fields.get(name) in (True, 1, "1", "true")
