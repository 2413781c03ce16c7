"""Calls as Python code: `print(default_api.get_weather(city="Paris"))`, as models write them that were trained to
run it.

Nothing is run. Only calls with named arguments (or one dict of them) that are literals are read; all else is an
error.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

from proxy.chat.tools.call_collector import CallCollector
from proxy.chat.tools.call_shapes import ParsedCall
from proxy.chat.tools.json_calls import LINE_END, calls_fence
from proxy.chat.tools.loose_json import MalformedJson, dump_json
from proxy.chat.tools.text_stream import BLANKS, Steps, TextStream

_API = "default_api."  # as the models were taught to write names
_BEGIN = re.compile(r"(?P<print>print\()?(?:default_api\.)?(?P<name>[\w.:/-]*)(?P<opens>\()?")
_LONGEST_BEGIN = 200
_FENCE_END = re.compile(r"\n[ ]{0,3}```")
_MAX_CODE = 16_000  # characters


def code_fence(stream: TextStream, collector: CallCollector) -> Steps[bool]:
    """Parse a fence of code, or of JSON; claimed if it begins with a call of a declared tool."""
    while (head := (yield from stream.skip(BLANKS))) in ("#", "/"):  # a comment
        yield from stream.until(LINE_END, 1)
    if not head or head in "{[`<":
        return (yield from calls_fence(stream, collector))
    name = yield from _first_name(stream, collector)
    if not name:
        return collector.has_partial
    text, is_whole = yield from stream.until(_FENCE_END, 8)
    if not is_whole and stream.was_cut:
        collector.has_partial = True
        return True
    try:
        for called, arguments in calls_in_code(text):
            collector.add(ParsedCall(called, arguments, repaired=True))
    except MalformedJson as broken:
        collector.add(ParsedCall(name, broken=str(broken)))
    return True


def _first_name(stream: TextStream, collector: CallCollector) -> Steps[str]:
    """The declared tool that is called first in the code; empty if there is none, or the answer ends before it."""
    for count in range(1, _LONGEST_BEGIN):
        ahead = yield from stream.peek(count)
        match = _BEGIN.match(ahead)
        if match is None or match.end() < len(ahead):
            return ""
        if len(ahead) < count:
            collector.has_partial = True
            return ""
        name = match["name"]
        if match["opens"] and name != "print":
            return name if collector.knows(name) else ""
        if not (
            collector.may_become_name(name)
            or _API.startswith(name)
            or (not match["print"] and "print".startswith(name))
        ):
            return ""
    return ""


def calls_in_code(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Parse *text* as calls, and yield their names and arguments. Raises `MalformedJson`."""
    if len(text) > _MAX_CODE:
        raise MalformedJson("it is too long")
    try:
        with warnings.catch_warnings(action="ignore"):  # they would quote the text
            statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise MalformedJson("it is no code that can be read") from None
    for statement in statements:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Call) and _is_print(value):
            value = value.args[0]
        if not isinstance(value, ast.Call):
            raise MalformedJson("it is more than calls")
        yield _name(value), _arguments(value)


def _name(call: ast.Call) -> str:
    try:
        return ast.unparse(call.func).removeprefix(_API)
    except RecursionError:  # Python from 3.13 on parses what it cannot write
        raise MalformedJson("its name has no end") from None


def _is_print(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "print" and len(call.args) == 1


def _arguments(call: ast.Call) -> dict[str, Any]:
    is_single_dict = len(call.args) == 1 and isinstance(call.args[0], ast.Dict) and not call.keywords
    if (call.args and not is_single_dict) or any(keyword.arg is None for keyword in call.keywords):
        raise MalformedJson("arguments need names")
    try:
        values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        values = ast.literal_eval(call.args[0]) if is_single_dict else values
        arguments: dict[str, Any] = json.loads(dump_json(values))
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise MalformedJson("an argument is no plain value") from None
    return arguments
