"""References in clients' schemas: endless ones are refused in any spelling."""

import time
from typing import Any

import pytest

from proxy.chat.tools.coercion import SchemaMismatch, coerce
from proxy.chat.tools.schema import InvalidSchema, compile_schema


def unfolding(reference: str, by: str = "$ref", **names: str) -> dict[str, Any]:
    """A schema that unfolds to 2^30 subschemas; *names*: by what each is referred to, besides its place."""
    steps: dict[str, Any] = {f"a{n}": {"allOf": [{by: reference.format(n + 1)}] * 2} for n in range(30)}
    steps["a30"] = {"type": "string"}
    for n in range(31):
        steps[f"a{n}"] |= {key: name.format(n) for key, name in names.items()}
    return {"$ref": reference.format(0), "$defs": steps}


RESOURCE = {"$id": "b", **unfolding("#/$defs/a{}")}


@pytest.mark.parametrize(
    "definition",
    [
        unfolding("#/$defs/a{}"),
        unfolding("#/%24defs/%61{}"),
        unfolding("#b{}", **{"$anchor": "b{}"}),
        unfolding("#b{}", **{"$id": "#b{}"}) | {"$schema": "http://json-schema.org/draft-07/schema#"},
        unfolding("#b{}", id="#b{}") | {"$schema": "http://json-schema.org/draft-04/schema#"},
        unfolding("#b{}", "$dynamicRef", **{"$dynamicAnchor": "b{}"}),
        unfolding("b{}", **{"$id": "b{}"}),
        unfolding("http://a/b#/$defs/a{}") | {"$id": "http://a/b"},
        {"$ref": "b", "$defs": {"b": RESOURCE, **{f"a{n}": True for n in range(31)}}},
        {"$ref": "#/$defs/", "$defs": {"": unfolding("#/$defs//$defs/a{}")}},
        {"$ref": "#/$defs/~01", "$defs": {"~1": unfolding("#/$defs/~01/$defs/a{}"), "/": True}},
    ],
    ids=lambda definition: str(definition)[:60],
)
def test_references_that_unfold_without_end_are_refused(definition: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema, match="unfold"):
        compile_schema(definition)


def test_references_that_lead_too_deep_are_refused() -> None:
    steps: dict[str, Any] = {}
    for n in range(60):
        steps[f"a{n}"] = {"$ref": f"#/$defs/a{n + 1}"}
        for _ in range(30):
            steps[f"a{n}"] = {"not": steps[f"a{n}"]}

    with pytest.raises(InvalidSchema, match="deep"):
        compile_schema({"$ref": "#/$defs/a0", "$defs": {**steps, "a60": {}}})


@pytest.mark.parametrize("name", ["#/$defs/a", "#a", "a", "#/%24defs/a"])
def test_alternatives_that_refer_to_themselves_are_decided_soon(name: str) -> None:
    branch = {"type": "object", "properties": {"x": {"$ref": name}}, "required": ["x"]}
    about = {"#a": {"$anchor": "a"}, "a": {"$id": "a"}}.get(name, {})
    schema = compile_schema({"$ref": name, "$defs": {"a": {**about, "anyOf": [branch, branch, {"type": "string"}]}}})
    value: Any = 1
    for _ in range(30):
        value = {"x": value}
    before = time.process_time()

    with pytest.raises(SchemaMismatch):
        coerce(value, schema)
    assert time.process_time() - before < 2


def test_references_that_follow_each_other_are_taken() -> None:
    steps: dict[str, Any] = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(400)}

    assert compile_schema({"$ref": "#/$defs/a0", "$defs": {**steps, "a400": {"type": "string"}}}).is_valid("x")


def test_references_that_run_in_no_circles_keep_no_fault_from_being_repaired() -> None:
    steps: dict[str, Any] = {f"a{n}": {"properties": {"x": {"$ref": f"#/$defs/a{n + 1}"}}} for n in range(6)}
    schema = compile_schema({"$ref": "#/$defs/a0", "$defs": {**steps, "a6": {"type": "integer"}}})

    assert coerce({"x": {"x": {"x": {"x": {"x": {"x": "5"}}}}}}, schema).value == {
        "x": {"x": {"x": {"x": {"x": {"x": 5}}}}}
    }
