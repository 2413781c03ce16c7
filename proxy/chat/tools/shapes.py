"""The shapes in which models write calls as JSON."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

_NAMES = ("name", "tool_name", "tool", "function", "recipient_name")
_ARGUMENTS = ("arguments", "parameters", "input", "args", "tool_input", "params")
_LISTS = ("tool_calls", "tool_uses", "calls")
_ABOUT = {*_NAMES, "type", "id"}
_BARE = {"name", *_LISTS[:2], "function_call", "function", "type", "id", *_ARGUMENTS[:4]}
_FIRST_KEY = re.compile(r"""[\[\s]*\{\s*["'“]?(\w*)(\W?)""")
_FIRST_NAME = re.compile(r"""[\[\s]*\{\s*["'“]?name["'”]?\s*[:：]\s*["'“]([^"'”]*)(["'”]?)""")
_ANY_NAME = re.compile(r"""["'“]?\b(?:tool_)?name["'”]?\s*[:：]\s*["'“]([^"'”]*)(["'”]?)""")


class Asked(NamedTuple):
    """A call as it was found, not yet checked. *broken*: it cannot be read, and why.

    *beside*: what stands beside the name where arguments have no key of their own.
    """

    name: str
    arguments: Any = None
    mended: bool = False
    broken: str = ""
    beside: Mapping[str, Any] = MappingProxyType({})


def calls_in(value: Any, *, bare: bool = False) -> list[Asked]:
    """The calls that *value* is; empty where it is anything else.

    *bare*: nothing around the value says that it is a call, so only the usual keys count, and arguments must be there.
    """
    if isinstance(value, list):
        found = [calls_in(item, bare=bare) for item in value]
        return [call for calls in found for call in calls] if all(found) else []
    if not isinstance(value, Mapping):
        return []
    for key in _LISTS[:2] if bare else _LISTS:
        if isinstance(value.get(key), list):
            return calls_in(value[key])
    for key in ("function_call", "function"):
        if isinstance(value.get(key), Mapping):
            return calls_in(value[key])
    name = next((value[key] for key in (_NAMES[:1] if bare else _NAMES) if isinstance(value.get(key), str)), None)
    keys = [key for key in (_ARGUMENTS[:4] if bare else _ARGUMENTS) if key in value]
    if not name or (bare and not keys):
        return []
    beside = {} if keys else {key: value[key] for key in value if key not in _ABOUT}
    return [Asked(name, value[keys[0]] if keys else None, beside=beside)]


def first_name(text: str) -> tuple[str, bool] | None:
    """The first thing called a name in *text*, which is no whole JSON, and whether it ends there."""
    match = _ANY_NAME.search(text)
    return (match[1], bool(match[2])) if match else None


def leading_name(text: str) -> tuple[str, bool] | None:
    """The name that *text* begins with, where that is its first key."""
    match = _FIRST_NAME.match(text)
    return (match[1], bool(match[2])) if match else None


def may_be_bare_call(text: str) -> bool:
    """Whether *text*, the beginning of some JSON, may be a call with nothing around it: by its first key."""
    match = _FIRST_KEY.match(text)
    if match is None:
        return not text.strip("[{ \t\r\n")
    key, end = match.groups()
    return key in _BARE if end else any(known.startswith(key) for known in _BARE)
