"""Find every code and type that an error of the proxy may have, from its sources."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
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


@cache
def error_codes() -> frozenset[str]:
    """Return all codes. Errors that servers behind the proxy name themselves are not among them."""
    sources = (path for path in PROXY.rglob("*.py") if DESCRIBING.isdisjoint(path.parts))
    trees = [ast.parse(path.read_text("utf-8")) for path in sources]
    positions = {name: position for tree in trees for name, position in _positions(tree)}
    return frozenset(IN_TABLES).union(*(_codes_in(node, positions) for tree in trees for node in ast.walk(tree)))


def _positions(tree: ast.Module) -> Iterator[tuple[str, Mapping[int, str]]]:
    """Functions and classes that take a code or a type, with the positions of these arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args]
        elif isinstance(node, ast.ClassDef):
            fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
            names = [field.id for field in fields if isinstance(field, ast.Name)]
        else:
            continue
        if found := {position: name for position, name in enumerate(names) if name in NAMES}:
            yield node.name, found


def _codes_in(node: ast.AST, positions: Mapping[str, Mapping[int, str]]) -> Iterator[str]:
    """Codes in *node* itself: passed by keyword or position, or assigned to an error later."""
    if isinstance(node, ast.keyword) and node.arg in NAMES:
        yield from _possible_words(node.value)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _put(target, node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        for position in positions.get(node.func.id, ()):
            yield from _possible_words(*node.args[position : position + 1])


def _put(target: ast.expr, value: ast.expr) -> Iterator[str]:
    """Codes that an assignment sets on an error."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, part in zip(target.elts, value.elts, strict=True):
            yield from _put(each, part)
    elif isinstance(target, ast.Attribute) and target.attr == "code":
        yield from _possible_words(value)


def _possible_words(*values: ast.expr) -> Iterator[str]:
    """Values that *values* may have. A composed one counts as its known values, or else as its source."""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and WORD.fullmatch(value.value):
            yield value.value
        elif isinstance(value, ast.JoinedStr):
            source = ast.unparse(value)
            yield from BUILT.get(source, {source})
        elif isinstance(value, ast.IfExp):
            yield from _possible_words(value.body, value.orelse)
