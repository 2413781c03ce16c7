"""Coercing values that nearly fit a schema: repairs what the validator reports, one error at a time.

Only repairs that neither lose nor invent anything: a number in a string, a text where a number was meant, one value
where a list is required (and a list of one where a value is), JSON in a string, the case of an enum value, null for an
optional property, also spelled as a word where no text is allowed. A missing property is set where the schema has a
default or allows null.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from operator import eq
from typing import TYPE_CHECKING, Any

from proxy.chat.tools.loose_json import Repaired, read_loose_json
from proxy.chat.tools.schema import Schema

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_MAX_REPAIRS = 60  # in one value
_EXACT = 2**53  # below it each whole number has a float of its own
_MAX_ROUNDS = 8  # of repairs that show further errors
_PROPERTIES = ("properties", "patternProperties", "additionalProperties")
_Path = list[str | int]


class SchemaMismatch(ValueError):
    """The value does not fit the schema; the message says what is wrong where."""


def coerce(value: Any, schema: Schema) -> Repaired:
    """Return *value*, repaired if necessary, so that it is valid for *schema*. Raises `SchemaMismatch`.

    Whole numbers become integers, which does not count as a repair.
    """
    if schema.is_valid(value):
        return Repaired(_with_whole_numbers(value), repaired=False)
    root = [value]  # so that the value itself has a place
    for _ in range(_MAX_REPAIRS):
        if not any([*_repair_each(root, schema.errors(root[0]), schema)]):
            break
    if schema.is_valid(root[0]):
        return Repaired(_with_whole_numbers(root[0]), repaired=True)
    raise SchemaMismatch("; ".join(map(_describe, schema.errors(root[0]))) or "it does not fit the schema")


def _with_whole_numbers(value: Any) -> Any:
    """*value* with 3 for 3.0: JSON does not distinguish them, but clients that want an integer do."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, list):
        return [_with_whole_numbers(inner) for inner in value]
    return {key: _with_whole_numbers(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _describe(error: "ValidationError") -> str:
    path = "/".join(map(str, error.instance_path))
    message = error.message if len(error.message) <= 300 else f"{error.message[:150]} … {error.message[-140:]}"
    return f"{path}: {message}" if path else message


def _repair_each(root: list[Any], errors: "list[ValidationError]", schema: Schema) -> Iterator[bool]:
    """Repair *errors*; yields whether each could be. One at a path around or below a repaired one is skipped: it
    may be gone."""
    changed: list[_Path] = []
    for error in errors:
        path = error.instance_path
        if not any(all(map(eq, path, other)) for other in changed):
            is_repaired = _repair(root, error, schema)
            if is_repaired and error.kind.name != "required":
                changed.append(path)
            yield is_repaired


def _repair(root: list[Any], error: "ValidationError", schema: Schema) -> bool:
    """Change the value in *root* so that *error* is gone; False where that is impossible."""
    if error.kind.name in ("anyOf", "oneOf"):
        return _choose_branch(root, error, schema)
    parent, key = _copy_parent(root, error.instance_path)
    kind = error.kind.as_dict()
    match error.kind.name:
        case "type":
            return _retype(parent, key, kind["types"], error, schema)
        case "required":
            return _add_default(parent, key, kind["property"], schema.subschema(error.schema_path[:-1]), schema)
        case "enum":
            return _choose(parent, key, kind["options"], error, schema)
        case "const":
            return _choose(parent, key, [kind["expected_value"]], error, schema)
        case _:
            return False


def _copy_parent(root: list[Any], path: _Path) -> tuple[Any, Any]:
    """The container of the value at *path*, and its key there. All containers around it are copied: other boxes
    share them."""
    node: Any = root
    key: str | int = 0
    for step in path:
        node[key] = copy.copy(node[key])
        node, key = node[key], step
    return node, key


def _retype(parent: Any, key: Any, types: list[str], error: "ValidationError", schema: Schema) -> bool:
    given = parent[key]
    value = None if isinstance(given, str) and given.strip().lower() in ("null", "none") else given
    for name in types:
        try:
            parent[key] = _as_type(value, name)
        except ValueError:
            continue
        return True
    if value is None:
        return _remove_null(parent, key, error, schema)
    if isinstance(value, list) and len(value) == 1:
        parent[key] = value[0]
        return True
    return False


def _remove_null(parent: Any, key: Any, error: "ValidationError", schema: Schema) -> bool:
    """Remove a null whose property is not required."""
    path = error.evaluation_path
    index = max((index for index, step in enumerate(path) if step in _PROPERTIES), default=None)
    parent_schema = None if index is None else schema.subschema(path[:index])
    if not isinstance(parent, dict) or not isinstance(parent_schema, Mapping):
        return False
    required = parent_schema.get("required")
    if key in (required if isinstance(required, list) else ()):
        return False
    del parent[key]
    return True


def _as_type(value: Any, name: str) -> Any:
    """*value* as the JSON type *name*. Raises `ValueError` where it is none."""
    if isinstance(value, str) and name != "string" and (name != "array" or value.lstrip()[:1] == "["):
        value = read_loose_json(value).value
    if name != "string" and _is_type(value, name):
        return value
    if name == "string" and isinstance(value, (int, float)):
        return json.dumps(value)
    if name == "array" and value is not None and not isinstance(value, list):
        return [value]
    if name == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError


_TYPES: Mapping[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def _is_type(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _add_default(parent: Any, key: Any, name: str, node: Any, schema: Schema) -> bool:
    """Set the missing property *name* to its default, or to null where the schema allows that."""
    properties = node.get("properties") if isinstance(node, Mapping) else None
    property_schema = properties.get(name) if isinstance(properties, Mapping) else None
    if isinstance(property_schema, Mapping) and "$ref" in property_schema and "default" not in property_schema:
        property_schema = schema.resolve_ref(property_schema["$ref"])
    if not isinstance(property_schema, Mapping):
        return False
    if "default" not in property_schema and not _allows_null(property_schema):
        return False
    parent[key] = {**parent[key], name: property_schema.get("default")}
    return True


def _allows_null(schema: Mapping[str, Any]) -> bool:
    """Whether the schema explicitly allows null; one that allows any value does not."""
    types = schema.get("type")
    if types == "null" or (isinstance(types, list) and "null" in types):
        return True
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if isinstance(branches, list):
            return any(isinstance(branch, Mapping) and branch.get("type") == "null" for branch in branches)
    return False


def _choose(parent: Any, key: Any, options: list[Any], error: "ValidationError", schema: Schema) -> bool:
    """Replace the value with the one of *options* that differs only in case and blanks; remove it where it is
    null."""
    value = parent[key]
    if value is None:
        return _remove_null(parent, key, error, schema)
    found = [option for option in options if _normalized(option) == _normalized(value)]
    if len(found) != 1:
        return False
    parent[key] = found[0]
    return True


def _normalized(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value)).strip().casefold()


def _choose_branch(root: list[Any], error: "ValidationError", schema: Schema) -> bool:
    """Take the nearest alternative of `anyOf` or `oneOf` that the value fits after repairs."""
    branches = _branches(error)
    for index in sorted(range(len(branches)), key=lambda index: _distance(error, branches[index])):
        attempt, errors = list(root), branches[index]
        for _ in range(_MAX_ROUNDS):
            if not errors or not all(_repair_each(attempt, errors, schema)):
                break
            remaining = next(
                (remaining for remaining in schema.errors(attempt[0]) if _location(remaining) == _location(error)), None
            )
            if remaining is None:
                root[0] = attempt[0]
                return True
            errors = next(iter(_branches(remaining)[index:]), [])
    return False


def _branches(error: "ValidationError") -> "list[list[ValidationError]]":
    """The errors of a value that fits none of the alternatives, for each of them."""
    found: list[list[ValidationError]] = error.kind.as_dict().get("context") or []
    return found


def _distance(error: "ValidationError", branch: "list[ValidationError]") -> tuple[bool, int]:
    """Sort key of an alternative: those of another type last, then by number of errors."""
    of_type = (inner.instance_path for inner in branch if inner.kind.name == "type")
    return error.instance_path in of_type, len(branch)


def _location(error: "ValidationError") -> tuple[_Path, _Path]:
    return error.schema_path, error.instance_path
