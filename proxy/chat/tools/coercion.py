"""Values that are nearly what a schema wants, made to fit: by what the validator says is wrong, one fault at a time.

Only what loses and invents nothing is done: a number in a string, a text where a number was meant, one value where a
list is wanted (and a list of one where a value is), JSON in a string, the case of one of some fixed values, null for an
optional property, also as a word where no text is wanted. A property that is missing is set where the schema names its
default or admits null.
"""

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.chat.tools.mending import Broken, read_json
from proxy.chat.tools.schema import Schema, too_deep

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_MAX_FAULTS = 60  # mended in one value
_Path = list[str | int]


class Unfit(ValueError):
    """The value does not fit the schema; the text says what is wrong where."""


class Fit(NamedTuple):
    """A value that fits, and whether it had to be changed."""

    value: Any
    changed: bool


def fit(value: Any, schema: Schema) -> Fit:
    """*value*, changed where it must be, so that *schema* admits it. Raises `Unfit`."""
    if schema.admits(value):
        return Fit(value, changed=False)
    box = [copy.deepcopy(value)] if not too_deep(value) else [value]  # so that the value itself has a place
    for _ in range(_MAX_FAULTS):
        faults = schema.faults(box[0])
        if not any(_mend(box, fault, schema) for fault in faults):
            break
    if schema.admits(box[0]):
        return Fit(box[0], changed=True)
    raise Unfit("; ".join(map(_told, schema.faults(box[0]))) or "it does not fit the schema")


def _told(fault: "ValidationError") -> str:
    place = "/".join(map(str, fault.instance_path))
    message = fault.message if len(fault.message) <= 300 else f"{fault.message[:150]} … {fault.message[-140:]}"
    return f"{place}: {message}" if place else message


def _mend(box: list[Any], fault: "ValidationError", schema: Schema) -> bool:
    """Change what is in *box* so that *fault* is gone; False where nothing can be done."""
    kind, path = fault.kind.as_dict(), fault.instance_path
    match fault.kind.name:
        case "type":
            return _retype(box, path, kind["types"], schema.at(fault.schema_path[:-3]))
        case "required":
            return _complete(box, path, kind["property"], schema.at(fault.schema_path[:-1]), schema)
        case "enum":
            return _choose(box, path, kind["options"]) or _leave_out(box, path, schema.at(fault.schema_path[:-3]))
        case "const":
            wanted = [kind["expected_value"]]
            return _choose(box, path, wanted) or _leave_out(box, path, schema.at(fault.schema_path[:-3]))
        case "anyOf" | "oneOf":
            return _choose_branch(box, fault, kind.get("context") or [], schema)
        case _:
            return False


def _holder(box: list[Any], path: _Path) -> tuple[Any, Any]:
    """What holds the value at *path*, and under which key."""
    node: Any = box
    key: str | int = 0
    for step in path:
        node, key = node[key], step
    return node, key


def _retype(box: list[Any], path: _Path, types: list[str], parent: Any) -> bool:
    holder, key = _holder(box, path)
    given = holder[key]
    value = None if isinstance(given, str) and given.strip().lower() in ("null", "none") else given
    for name in types:
        try:
            holder[key] = _as_type(value, name)
        except (Broken, ValueError):
            continue
        return True
    holder[key] = value
    if _leave_out(box, path, parent):
        return True
    holder[key] = given
    if isinstance(value, list) and len(value) == 1 and "array" not in types:
        holder[key] = value[0]
        return True
    return False


def _leave_out(box: list[Any], path: _Path, parent: Any) -> bool:
    """Take null out where *parent*, the schema of what holds it, does not ask for it."""
    holder, key = _holder(box, path)
    if holder[key] is not None or not isinstance(holder, dict) or not isinstance(parent, Mapping):
        return False
    required = parent.get("required")
    if key in (required if isinstance(required, list) else ()):
        return False
    del holder[key]
    return True


def _as_type(value: Any, name: str) -> Any:
    """*value* as the JSON type *name*. Raises `ValueError` where it is none."""
    if isinstance(value, str) and name != "string" and (name != "array" or value.lstrip()[:1] == "["):
        known = {"true": True, "false": False}.get(value.strip().lower())
        value = read_json(value).value if known is None else known
    if name != "string" and _is_type(value, name):
        return value
    if name == "string" and isinstance(value, (bool, int, float)):
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


def _complete(box: list[Any], path: _Path, name: str, node: Any, schema: Schema) -> bool:
    """Set the missing property *name* where the schema says what it is when nobody says anything."""
    holder, key = _holder(box, path)
    properties = node.get("properties") if isinstance(node, Mapping) else None
    wanted = properties.get(name) if isinstance(properties, Mapping) else None
    if isinstance(wanted, Mapping) and isinstance(wanted.get("$ref"), str) and "default" not in wanted:
        wanted = schema.at(wanted["$ref"].removeprefix("#").strip("/").split("/"))
    if not isinstance(wanted, Mapping):
        return False
    if "default" in wanted:
        holder[key][name] = copy.deepcopy(wanted["default"])
        return True
    if _names_null(wanted):
        holder[key][name] = None
        return True
    return False


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


def _choose(box: list[Any], path: _Path, options: list[Any]) -> bool:
    """The one of *options* that is spelled like the value, but for case and blanks."""
    holder, key = _holder(box, path)
    value = holder[key]
    if isinstance(value, (dict, list)):
        return False
    spelled = _spelled(value)
    found = [option for option in options if not isinstance(option, (dict, list)) and _spelled(option) == spelled]
    if len(found) != 1:
        return False
    holder[key] = found[0]
    return True


def _spelled(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value)).strip().casefold()


def _choose_branch(
    box: list[Any], fault: "ValidationError", context: "list[list[ValidationError]]", schema: Schema
) -> bool:
    """The first alternative, those with fewest faults first, that the value fits once its faults are mended."""
    for faults in sorted(context, key=len):
        attempt = copy.deepcopy(box)
        if all(_mend(attempt, inner, schema) for inner in faults):
            place = (fault.schema_path, fault.instance_path)
            if all((left.schema_path, left.instance_path) != place for left in schema.faults(attempt[0])):
                box[0] = attempt[0]
                return True
    return False
