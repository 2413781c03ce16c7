"""Dataclasses as the plain values that JSON knows and as JSON, and back.

Reading checks the types. Fields that a newer version added are passed over, missing ones take their defaults.
"""

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """*value* as dictionaries, lists, texts and numbers: a dataclass becomes a dictionary, an enumeration its value."""
    return msgspec.to_builtins(value)


def from_plain(kind: type[T], plain: object) -> T:
    """The value of this *kind* of which `to_plain` made *plain*. Raises ValueError."""
    return msgspec.convert(plain, kind)


def to_json(value: object) -> str:
    """*value* as ASCII JSON: a lone surrogate, which UTF-8 cannot hold, survives as its escape."""
    return json.dumps(to_plain(value), separators=(",", ":"))


def from_json(kind: type[T], text: str | bytes) -> T:
    """The value of this *kind* that `to_json` wrote. Raises ValueError."""
    return from_plain(kind, json.loads(text))
