"""Values that are nearly what a schema wants, made to fit: by what the validator says is wrong, one fault at a time.

Only what loses and invents nothing is done: a number in a string, a text where a number was meant, one value where a
list is wanted (and a list of one where a value is), JSON in a string, the case of one of some fixed values, null for an
optional property, also as a word where no text is wanted. A property that is missing is set where the schema names its
default or admits null.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from operator import eq
from typing import TYPE_CHECKING, Any

from proxy.chat.tools.mending import Read, read_json
from proxy.chat.tools.schema import Schema

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_MAX_FAULTS = 60  # mended in one value
_EXACT = 2**53  # below it each whole number has a float of its own
_MAX_ROUNDS = 8  # in which what is mended shows what else is wrong
_PROPERTIES = ("properties", "patternProperties", "additionalProperties")
_Path = list[str | int]


class Unfit(ValueError):
    """The value does not fit the schema; the text says what is wrong where."""


def fit(value: Any, schema: Schema) -> Read:
    """*value*, mended where it must be, so that *schema* admits it. Raises `Unfit`.

    Its whole numbers lose their fraction, which is no mending.
    """
    if schema.admits(value):
        return Read(_with_whole_numbers(value), mended=False)
    box = [value]  # so that the value itself has a place
    for _ in range(_MAX_FAULTS):
        if not any([*_mend_each(box, schema.faults(box[0]), schema)]):
            break
    if schema.admits(box[0]):
        return Read(_with_whole_numbers(box[0]), mended=True)
    raise Unfit("; ".join(map(_told, schema.faults(box[0]))) or "it does not fit the schema")


def _with_whole_numbers(value: Any) -> Any:
    """*value* with 3 for 3.0, which JSON does not tell apart; clients that want an integer do."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, list):
        return [_with_whole_numbers(inner) for inner in value]
    return {key: _with_whole_numbers(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _told(fault: "ValidationError") -> str:
    place = "/".join(map(str, fault.instance_path))
    message = fault.message if len(fault.message) <= 300 else f"{fault.message[:150]} … {fault.message[-140:]}"
    return f"{place}: {message}" if place else message


def _mend_each(box: list[Any], faults: "list[ValidationError]", schema: Schema) -> Iterator[bool]:
    """Mend *faults*; whether each could be. One around or within what was changed for another waits: it may be gone."""
    changed: list[_Path] = []
    for fault in faults:
        path = fault.instance_path
        if not any(all(map(eq, path, other)) for other in changed):
            is_mended = _mend(box, fault, schema)
            if is_mended and fault.kind.name != "required":
                changed.append(path)
            yield is_mended


def _mend(box: list[Any], fault: "ValidationError", schema: Schema) -> bool:
    """Change what is in *box* so that *fault* is gone; False where nothing can be done."""
    kind, path = fault.kind.as_dict(), fault.instance_path
    match fault.kind.name:
        case "type":
            return _retype(*_holder(box, path), kind["types"], fault, schema)
        case "required":
            return _complete(*_holder(box, path), kind["property"], schema.at(fault.schema_path[:-1]), schema)
        case "enum":
            return _choose(*_holder(box, path), kind["options"], fault, schema)
        case "const":
            return _choose(*_holder(box, path), [kind["expected_value"]], fault, schema)
        case "anyOf" | "oneOf":
            return _choose_branch(box, fault, schema)
        case _:
            return False


def _holder(box: list[Any], path: _Path) -> tuple[Any, Any]:
    """What holds the value at *path*, and under which key. All that is around it is copied: other boxes hold it too."""
    node: Any = box
    key: str | int = 0
    for step in path:
        node[key] = copy.copy(node[key])
        node, key = node[key], step
    return node, key


def _retype(holder: Any, key: Any, types: list[str], fault: "ValidationError", schema: Schema) -> bool:
    given = holder[key]
    value = None if isinstance(given, str) and given.strip().lower() in ("null", "none") else given
    for name in types:
        try:
            holder[key] = _as_type(value, name)
        except ValueError:
            continue
        return True
    if value is None:
        return _leave_out(holder, key, fault, schema)
    if isinstance(value, list) and len(value) == 1:
        holder[key] = value[0]
        return True
    return False


def _leave_out(holder: Any, key: Any, fault: "ValidationError", schema: Schema) -> bool:
    """Take null out where the schema of the object that holds it does not ask for it."""
    path = fault.evaluation_path
    at = max((at for at, step in enumerate(path) if step in _PROPERTIES), default=None)
    parent = None if at is None else schema.at(path[:at])
    if not isinstance(holder, dict) or not isinstance(parent, Mapping):
        return False
    required = parent.get("required")
    if key in (required if isinstance(required, list) else ()):
        return False
    del holder[key]
    return True


def _as_type(value: Any, name: str) -> Any:
    """*value* as the JSON type *name*. Raises `ValueError` where it is none."""
    if isinstance(value, str) and name != "string" and (name != "array" or value.lstrip()[:1] == "["):
        value = read_json(value).value
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


def _complete(holder: Any, key: Any, name: str, node: Any, schema: Schema) -> bool:
    """Set the missing property *name* where the schema says what it is when nobody says anything."""
    properties = node.get("properties") if isinstance(node, Mapping) else None
    wanted = properties.get(name) if isinstance(properties, Mapping) else None
    if isinstance(wanted, Mapping) and "$ref" in wanted and "default" not in wanted:
        wanted = schema.referred(wanted["$ref"])
    if not isinstance(wanted, Mapping):
        return False
    if "default" not in wanted and not _names_null(wanted):
        return False
    holder[key] = {**holder[key], name: wanted.get("default")}
    return True


def _names_null(wanted: Mapping[str, Any]) -> bool:
    """Whether null is one of the values that *wanted* names; a schema that admits anything names nothing."""
    types = wanted.get("type")
    if types == "null" or (isinstance(types, list) and "null" in types):
        return True
    for key in ("anyOf", "oneOf"):
        branches = wanted.get(key)
        if isinstance(branches, list):
            return any(isinstance(branch, Mapping) and branch.get("type") == "null" for branch in branches)
    return False


def _choose(holder: Any, key: Any, options: list[Any], fault: "ValidationError", schema: Schema) -> bool:
    """The one of *options* that is spelled like the value, but for case and blanks; no value where it is null."""
    value = holder[key]
    if value is None:
        return _leave_out(holder, key, fault, schema)
    found = [option for option in options if _spelled(option) == _spelled(value)]
    if len(found) != 1:
        return False
    holder[key] = found[0]
    return True


def _spelled(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value)).strip().casefold()


def _choose_branch(box: list[Any], fault: "ValidationError", schema: Schema) -> bool:
    """The alternative nearest to the value that it fits once its faults are mended."""
    branches = _branches(fault)
    for at in sorted(range(len(branches)), key=lambda at: _distance(fault, branches[at])):
        attempt, faults = list(box), branches[at]
        for _ in range(_MAX_ROUNDS):
            if not faults or not all(_mend_each(attempt, faults, schema)):
                break
            left = next((left for left in schema.faults(attempt[0]) if _place(left) == _place(fault)), None)
            if left is None:
                box[0] = attempt[0]
                return True
            faults = next(iter(_branches(left)[at:]), [])
    return False


def _branches(fault: "ValidationError") -> "list[list[ValidationError]]":
    """What is wrong with a value that fits none of some alternatives, for each of them."""
    found: list[list[ValidationError]] = fault.kind.as_dict().get("context") or []
    return found


def _distance(fault: "ValidationError", branch: "list[ValidationError]") -> tuple[bool, int]:
    """Far is an alternative of another type; then it is the number of faults that tells."""
    of_type = (inner.instance_path for inner in branch if inner.kind.name == "type")
    return fault.instance_path in of_type, len(branch)


def _place(fault: "ValidationError") -> tuple[_Path, _Path]:
    return fault.schema_path, fault.instance_path
