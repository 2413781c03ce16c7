"""Values that nearly match a schema: which are coerced, and which are reported unchanged."""

import time
from typing import Any

import pytest

from proxy.chat.tools.coercion import SchemaMismatch, coerce
from proxy.chat.tools.schema import compile_schema

CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "share": {"type": "number"},
        "now": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "integer"}},
        "names": {"type": "array", "items": {"type": "string"}},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "where": {"$ref": "#/$defs/Place"},
        "size": {"enum": ["xl", "XL"]},
        "form": {"const": "Short"},
        "mode": {"type": "string", "default": "plain"},
    },
    "required": ["city", "limit", "mode"],
    "additionalProperties": False,
    "$defs": {
        "Place": {
            "type": "object",
            "properties": {"x": {"type": "number"}, "y": {"type": ["number", "null"]}},
            "required": ["x", "y"],
        }
    },
}
WHOLE = {"city": "Paris", "limit": None, "mode": "plain"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {}),
        ({"days": "3"}, {"days": 3}),
        ({"days": "3.0"}, {"days": 3}),
        ({"share": "0.5"}, {"share": 0.5}),
        ({"city": 75001}, {"city": "75001"}),
        ({"now": "True"}, {"now": True}),
        ({"tags": 4}, {"tags": [4]}),
        ({"tags": "4"}, {"tags": [4]}),
        ({"tags": "[4, 5]"}, {"tags": [4, 5]}),
        ({"tags": ["4", "5"]}, {"tags": [4, 5]}),
        ({"days": [3]}, {"days": 3}),
        ({"days": None}, {}),
        ({"days": "null"}, {}),
        ({"tags": "None"}, {}),
        ({"names": "True"}, {"names": ["True"]}),
        ({"unit": "Celsius "}, {"unit": "celsius"}),
        ({"limit": "7"}, {"limit": 7}),
        ({"limit": "null"}, {"limit": None}),
        ({"form": "short"}, {"form": "Short"}),
        ({"where": '{"x": "1"}'}, {"where": {"x": 1, "y": None}}),
    ],
    ids=str,
)
def test_near_matches_are_coerced(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    value = WHOLE | arguments

    assert coerce(value, compile_schema(CITY)) == (
        WHOLE | expected if expected or not arguments else WHOLE,
        bool(arguments),
    )
    assert value == WHOLE | arguments  # the value itself stays as it is


def test_a_whole_number_is_given_without_a_fraction() -> None:
    value = {"days": 3.0, "share": 1e300, "tags": [4.0, 5], "where": {"x": -1e3, "y": 0.5}}
    fitted = coerce(WHOLE | value, compile_schema(CITY))

    expected = {"days": 3, "share": 1e300, "tags": [4, 5], "where": {"x": -1000, "y": 0.5}}
    assert (repr(fitted.value), fitted.repaired) == (repr(WHOLE | expected), False)
    earlier = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"days": {"type": "integer"}}}
    assert repr(coerce({"days": 3.0}, compile_schema(earlier)).value) == repr({"days": 3})


def test_what_is_missing_is_set_where_the_schema_says_to_what() -> None:
    assert coerce({"city": "Paris"}, compile_schema(CITY)) == (WHOLE, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"days": "three"}, 'days: "three" is not of type "integer"'),
        (
            {"where": "null", "limit": {}},
            "limit: {} is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        ({"where": {"x": "None"}}, 'where/x: "None" is not of type "number"'),
        ({"days": 3.7}, 'days: 3.7 is not of type "integer"'),
        ({"days": "3.7"}, 'days: "3.7" is not of type "integer"'),
        ({"days": True}, 'days: true is not of type "integer"'),
        ({"colour": "red"}, "Additional properties are not allowed ('colour' was unexpected)"),
        ({"unit": "kelvin"}, 'unit: "kelvin" is not one of "celsius" or "fahrenheit"'),
        ({"where": {}}, 'where: "x" is a required property'),
        ({"city": ["Paris", "Rome"]}, 'city: ["Paris","Rome"] is not of type "string"'),
        ({"city": None}, 'city: null is not of type "string"'),
        ({"size": "Xl"}, 'size: "Xl" is not one of "xl" or "XL"'),
        ({"unit": ["celsius"]}, 'unit: ["celsius"] is not one of "celsius" or "fahrenheit"'),
        ({"limit": "many"}, "limit: \"many\" is not valid under any of the schemas listed in the 'anyOf' keyword"),
    ],
    ids=str,
)
def test_mismatches_are_reported_with_their_path(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaMismatch) as exc_info:
        coerce(WHOLE | arguments, compile_schema(CITY))
    assert str(exc_info.value) == message


def test_a_mismatch_that_would_take_too_long_to_list_is_reported_all_the_same() -> None:
    schema = compile_schema({"properties": {f"p{number}": {"type": "integer"} for number in range(1_000)}})

    with pytest.raises(SchemaMismatch, match="it does not fit the schema"):
        coerce({"p0": [[]]}, schema)


def test_a_default_beside_a_reference_is_the_one_that_counts() -> None:
    unit = {"enum": ["celsius", "kelvin"], "default": "kelvin"}
    properties = {"a": {"$ref": "#/$defs/Unit", "default": "celsius"}, "b": {"$ref": "#/$defs/Unit"}}
    schema = compile_schema({"properties": properties, "required": ["a", "b"], "$defs": {"Unit": unit}})

    assert coerce({}, schema) == ({"a": "celsius", "b": "kelvin"}, True)


@pytest.mark.parametrize("expected", [{}, {"x": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}])
def test_what_is_missing_stays_so_where_the_schema_does_not_say_to_what_it_is_set(expected: dict[str, Any]) -> None:
    with pytest.raises(SchemaMismatch, match='"x" is a required property'):
        coerce({}, compile_schema({"properties": expected, "required": ["x"]}))


def test_null_is_left_out_where_nothing_is_required() -> None:
    assert coerce({"x": None}, compile_schema({"properties": {"x": {"type": "integer"}}})) == ({}, True)


PLACES = {
    "type": "object",
    "properties": {
        "unit": {"$ref": "#/$defs/Unit"},
        "form": {"type": "object", "properties": {"unit": {"$ref": "#/$defs/Unit"}, "a": {"type": "string"}}},
        "place": {"$ref": "#place"},
        "places": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
        "either": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "string"}]},
        "others": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Unit"}},
        "named": {"type": "object", "patternProperties": {"^x": {"$ref": "#/$defs/Unit"}}},
    },
    "required": ["unit"],
    "$defs": {
        "Unit": {"enum": ["celsius", "kelvin"]},
        "Place": {
            "$anchor": "place",
            "type": "object",
            "properties": {"unit": {"$ref": "#/$defs/Unit"}, "z": {"$ref": "#/$defs/Unit"}},
            "required": ["z"],
        },
    },
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"form": {"unit": None, "a": "x"}}, {"form": {"a": "x"}}),
        ({"place": {"unit": None, "z": "kelvin"}}, {"place": {"z": "kelvin"}}),
        ({"places": [{"unit": None, "z": "Kelvin"}]}, {"places": [{"z": "kelvin"}]}),
        ({"either": {"unit": None, "z": "kelvin"}}, {"either": {"z": "kelvin"}}),
        ({"others": {"x": None}}, {"others": {}}),
        ({"named": {"x": None}}, {"named": {}}),
    ],
    ids=str,
)
def test_null_is_left_out_by_what_its_own_object_requires(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    """Whatever the objects around it do, and wherever its schema is written."""
    assert coerce({"unit": "kelvin"} | arguments, compile_schema(PLACES)).value == {"unit": "kelvin"} | expected
    with pytest.raises(SchemaMismatch, match="unit: null is not one of"):
        coerce({"unit": None} | arguments, compile_schema(PLACES))


@pytest.mark.parametrize("name", ["place", "places", "either"])
def test_null_stays_where_its_own_object_requires_it(name: str) -> None:
    location: Any = {"z": None}

    with pytest.raises(SchemaMismatch, match=name):
        coerce({"unit": "kelvin", name: [location] if name == "places" else location}, compile_schema(PLACES))


A, B = {"type": "object", "properties": {"n": {"type": "integer"}}}, {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize(
    ("branches", "value", "fitting"),
    [
        ([{"type": "string", "enum": ["a"]}, {"type": "integer", "enum": [1]}], None, {}),
        ([A, {"type": "null"}], '{"n": "1"}', {"x": {"n": 1}}),
        ([B, {"type": "null"}], "4", {"x": [4]}),
        ([B, {"type": "null"}], "['4', 5]", {"x": [4, 5]}),
        ([{"type": "integer"}, B], ["4"], {"x": [4]}),
        ([{"type": "integer"}, A], ["4"], {"x": 4}),
        ([{**A, "required": ["z"]}, {"type": "array", "items": A}], {"n": "1"}, {"x": [{"n": 1}]}),
    ],
    ids=str,
)
@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
def test_of_alternatives_the_nearest_is_made_to_fit(word: str, branches: list[Any], value: Any, fitting: Any) -> None:
    schema = compile_schema({"properties": {"x": {word: branches}}})

    assert coerce({"x": value}, schema) == (fitting, True)


def test_a_default_is_set_within_an_alternative_as_often_as_one_is_missing() -> None:
    names = [f"p{number}" for number in range(20)]
    part = {"type": "object", "properties": {name: {"default": 1} for name in names}, "required": names}

    assert coerce({"x": {}}, compile_schema({"properties": {"x": {"anyOf": [part, {"type": "null"}]}}})).value == {
        "x": dict.fromkeys(names, 1)
    }


def test_a_value_keeps_what_an_alternative_in_vain_has_tried() -> None:
    value = {"x": {"n": "1", "m": ["2"]}}
    vain = {**A, "properties": {"n": {"type": "integer"}, "m": {"items": {"type": "integer"}}}, "required": ["z"]}
    with pytest.raises(SchemaMismatch):
        coerce(value, compile_schema({"properties": {"x": {"anyOf": [vain, {"type": "string"}]}}}))
    assert value == {"x": {"n": "1", "m": ["2"]}}


def test_a_large_value_of_many_alternatives_is_judged_soon() -> None:
    def block(number: int) -> dict[str, Any]:
        return {"properties": {"kind": {"const": number}, "v": {"type": "integer"}, "w": {"type": "string"}}}

    schema = compile_schema({"properties": {"all": {"items": {"anyOf": [block(number) for number in range(50)]}}}})
    value = {"all": [{"kind": 49, "v": "five", "w": {str(n): [n] for n in range(1000)}} for _ in range(60)]}
    before = time.process_time()

    with pytest.raises(SchemaMismatch):
        coerce(value, schema)
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("expected", "arguments", "fitting"),
    [
        ({"enum": ["a", "b"]}, "A", "a"),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, [7], 7),
        ({"const": 1}, "1", 1),
        ({"enum": [{"a": 1}, "b"]}, '{"a": 1}', {"a": 1}),
        ({"type": ["number", "string"]}, True, "true"),
        ({"type": "boolean"}, " TRUE", True),
    ],
)
def test_any_number_of_mismatches_is_repaired(expected: dict[str, Any], arguments: Any, fitting: Any) -> None:
    names = [f"p{number}" for number in range(20)]
    schema = compile_schema({"properties": dict.fromkeys(names, expected)})

    assert coerce(dict.fromkeys(names, arguments), schema) == (dict.fromkeys(names, fitting), True)


def test_a_long_value_is_shortened_in_messages() -> None:
    with pytest.raises(SchemaMismatch) as exc_info:
        coerce({"days": "x" * 100_000}, compile_schema({"properties": {"days": {"type": "integer"}}}))
    assert len(str(exc_info.value)) < 320
