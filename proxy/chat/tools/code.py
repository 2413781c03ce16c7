"""Calls as code: `print(default_api.get_weather(city="Paris"))`, as models write them that were trained to run Python.

Nothing is run. Only calls with named arguments that are plain values are read, also named in one object; all else is
broken.
"""

import ast
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

from proxy.chat.tools.desk import Desk
from proxy.chat.tools.fences import LINE_END, calls_fence
from proxy.chat.tools.mending import Broken, dump_json
from proxy.chat.tools.shapes import Asked
from proxy.chat.tools.source import BLANKS, Source, Steps

_API = "default_api."  # as the models were taught to write names
_BEGIN = re.compile(r"(?P<print>print\()?(?:default_api\.)?(?P<name>[\w.:/-]*)(?P<opens>\()?")
_LONGEST_BEGIN = 200
_FENCE_END = re.compile(r"\n[ ]{0,3}```")
_MAX_CODE = 16_000  # characters


def code_fence(source: Source, desk: Desk) -> Steps[bool]:
    """A fence of code, or of JSON: claimed once its first call is one of a declared tool."""
    while (head := (yield from source.skip(BLANKS))) in ("#", "/"):  # a comment
        yield from source.until(LINE_END, 1)
    if not head or head in "{[`<":
        return (yield from calls_fence(source, desk))
    name = yield from _first_name(source, desk)
    if not name:
        return desk.has_half
    text, is_whole = yield from source.until(_FENCE_END, 8)
    if not is_whole and source.was_cut:
        desk.has_half = True
        return True
    try:
        for called, arguments in calls_in_code(text):
            desk.take(Asked(called, arguments, mended=True))
    except Broken as broken:
        desk.take(Asked(name, broken=str(broken)))
    return True


def _first_name(source: Source, desk: Desk) -> Steps[str]:
    """The declared tool that the code begins with a call of; empty where it is anything else, or ends there."""
    for count in range(1, _LONGEST_BEGIN):
        ahead = yield from source.peek(count)
        match = _BEGIN.match(ahead)
        if match is None or match.end() < len(ahead):
            return ""
        if len(ahead) < count:
            desk.has_half = True
            return ""
        name = match["name"]
        if match["opens"] and name != "print":
            return name if desk.knows(name) else ""
        if not (desk.may_name(name) or _API.startswith(name) or (not match["print"] and "print".startswith(name))):
            return ""
    return ""


def calls_in_code(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names and arguments of the calls that *text* is. Raises `Broken`."""
    if len(text) > _MAX_CODE:
        raise Broken("it is too long")
    try:
        with warnings.catch_warnings(action="ignore"):  # they would quote the text
            statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise Broken("it is no code that can be read") from None
    for statement in statements:
        value = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(value, ast.Call) and _is_print(value):
            value = value.args[0]
        if not isinstance(value, ast.Call):
            raise Broken("it is more than calls")
        yield _name(value), _arguments(value)


def _name(call: ast.Call) -> str:
    try:
        return ast.unparse(call.func).removeprefix(_API)
    except RecursionError:  # Python from 3.13 on parses what it cannot write
        raise Broken("its name has no end") from None


def _is_print(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "print" and len(call.args) == 1


def _arguments(call: ast.Call) -> dict[str, Any]:
    is_one = len(call.args) == 1 and isinstance(call.args[0], ast.Dict) and not call.keywords
    if (call.args and not is_one) or any(keyword.arg is None for keyword in call.keywords):
        raise Broken("arguments need names")
    try:
        found = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        found = ast.literal_eval(call.args[0]) if is_one else found
        made: dict[str, Any] = json.loads(dump_json(found))
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise Broken("an argument is no plain value") from None
    return made
