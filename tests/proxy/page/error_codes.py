"""Every code and type that an error of the proxy may have, as its sources tell."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

PROXY = Path(__file__).parents[3] / "proxy"
NAMES = ("code", "type")  # what an error is called by; the second where it has no code
WORD = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
DESCRIBING = {"description.py", "description_objects.py", "openapi"}  # these make no errors
BUILT = {  # codes that are put together
    "f'{kind}_{side}_value'": {
        *("decimal_above_max_value", "decimal_below_min_value", "integer_above_max_value", "integer_below_min_value"),
    },
}
IN_TABLES = {"invalid_request_error", "tokens"}  # where nothing says that they are codes, or the types of errors


def error_codes() -> set[str]:
    """All of them. What servers behind the proxy call their errors is not known, and not among them."""
    sources = (path for path in PROXY.rglob("*.py") if DESCRIBING.isdisjoint(path.parts))
    trees = [ast.parse(path.read_text("utf-8")) for path in sources]
    places = {name: place for tree in trees for name, place in _places(tree)}
    return IN_TABLES.union(*(_told(node, places) for tree in trees for node in ast.walk(tree)))


def _places(tree: ast.Module) -> Iterator[tuple[str, Mapping[int, str]]]:
    """Functions and classes that take a code or a type, and in which of their places."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
        elif isinstance(node, ast.ClassDef):
            fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
            names = [field.id for field in fields if isinstance(field, ast.Name)]
        else:
            continue
        if found := {place: name for place, name in enumerate(names) if name in NAMES}:
            yield node.name, found


def _told(node: ast.AST, places: Mapping[str, Mapping[int, str]]) -> Iterator[str]:
    """The codes that stand in *node* itself: given by name or by place, or put into an error later."""
    if isinstance(node, ast.keyword) and node.arg in NAMES:
        yield from _words(node.value)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _put(target, node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for place in places.get(node.func.id, ()):
            yield from _words(*node.args[place : place + 1])


def _put(target: ast.expr, value: ast.expr) -> Iterator[str]:
    """The codes that an assignment puts into an error."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, part in zip(target.elts, value.elts, strict=True):
            yield from _put(each, part)
    elif isinstance(target, ast.Attribute) and target.attr == "code":
        yield from _words(value)


def _words(*values: ast.expr) -> Iterator[str]:
    """The words that *values* may be. One that is put together is the words it is known to be, else its source."""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and WORD.fullmatch(value.value):
            yield value.value
        elif isinstance(value, ast.JoinedStr):
            source = ast.unparse(value)
            yield from BUILT.get(source, {source})
        elif isinstance(value, ast.IfExp):
            yield from _words(value.body, value.orelse)
