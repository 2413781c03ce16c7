"""The JSON shapes in which models write calls."""

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


class ParsedCall(NamedTuple):
    """A call as it was found, not yet checked. *broken*: why it cannot be read.

    *flat_arguments*: the fields beside the name, where arguments have no key of their own.
    """

    name: str
    arguments: Any = None
    repaired: bool = False
    broken: str = ""
    flat_arguments: Mapping[str, Any] = MappingProxyType({})


def parse_calls(value: Any, *, bare: bool = False) -> list[ParsedCall]:
    """Parse *value* as calls; empty where it is anything else.

    *bare*: nothing around the value marks it as a call, so only the usual keys count, and arguments are required.
    """
    if isinstance(value, list):
        lists = [parse_calls(item, bare=bare) for item in value]
        return [call for calls in lists for call in calls] if all(lists) else []
    if not isinstance(value, Mapping):
        return []
    for key in _LISTS[:2] if bare else _LISTS:
        if isinstance(value.get(key), list):
            return parse_calls(value[key])
    for key in ("function_call", "function"):
        if isinstance(value.get(key), Mapping):
            return parse_calls(value[key])
    name = next((value[key] for key in (_NAMES[:1] if bare else _NAMES) if isinstance(value.get(key), str)), None)
    keys = [key for key in (_ARGUMENTS[:4] if bare else _ARGUMENTS) if key in value]
    if not name or (bare and not keys):
        return []
    flat_arguments = {} if keys else {key: value[key] for key in value if key not in _ABOUT}
    return [ParsedCall(name, value[keys[0]] if keys else None, flat_arguments=flat_arguments)]


def find_name(text: str) -> tuple[str, bool] | None:
    """The value of the first name key in the incomplete JSON *text*, and whether the value is complete."""
    match = _ANY_NAME.search(text)
    return (match[1], bool(match[2])) if match else None


def leading_name(text: str) -> tuple[str, bool] | None:
    """The name in *text*, where that is its first key, and whether it is complete."""
    match = _FIRST_NAME.match(text)
    return (match[1], bool(match[2])) if match else None


def may_be_bare_call(text: str) -> bool:
    """Whether *text*, the beginning of some JSON, may be a call without any mark: decided by its first key."""
    match = _FIRST_KEY.match(text)
    if match is None:
        return not text.strip("[{ \t\r\n")
    key, end = match.groups()
    return key in _BARE if end else any(known.startswith(key) for known in _BARE)
