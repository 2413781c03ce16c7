"""Schemas of strangers: what is none is refused, none of them hangs, fetches or crashes."""

import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from proxy.chat.tools.cache import Cache
from proxy.chat.tools.coercion import Unfit, fit
from proxy.chat.tools.schema import MAX_DEPTH, NotASchema, compiled


def nested(levels: int, key: str) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {key: value}
    return value


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "strin"},
        {"properties": []},
        {"required": "name"},
        {"pattern": "("},
        {"$ref": "#/$defs/none"},
        {"$ref": "file:///etc/passwd"},
        {"type": {1, 2}},
        {"pattern": "((a{100}){100}){100}"},
        nested(MAX_DEPTH + 1, "not"),
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "minimum": 0, "exclusiveMinimum": True},
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused(definition: Any) -> None:
    with pytest.raises(NotASchema):
        compiled(definition)


def test_a_format_is_an_annotation_and_a_hundred_levels_are_a_schema() -> None:
    assert compiled({"format": "date"}).admits("soon")
    assert compiled(nested(MAX_DEPTH, "items")).admits([])


@pytest.mark.parametrize(
    ("definition", "fits", "wrong"),
    [
        ({"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}, ["a", 1], ["a", "b"]),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 1, 0),
        ({"definitions": {"A": {"items": [{"const": 1}]}}, "$ref": "#/definitions/A"}, [1], [2]),
    ],
    ids=str,
)
def test_a_schema_of_an_earlier_draft_need_not_name_it(definition: Any, fits: Any, wrong: Any) -> None:
    schema = compiled(definition)

    assert schema.admits(fits)
    assert not schema.admits(wrong)


UNREADABLE = [r"[\w-.]+", r"(?P<half>a)-(?P=half)", r"^{[a-z]+}$", r"[^]", "^.{1,100000}$", "("]


@pytest.mark.parametrize("pattern", UNREADABLE)
def test_a_pattern_that_cannot_be_read_is_not_checked_where_that_is_admitted(pattern: str) -> None:
    """All the rest is, and readable patterns with it."""
    name = {"type": "string", "pattern": pattern}
    definition = {
        "type": "object",
        "properties": {"name": name, "names": {"anyOf": [{"type": "array", "items": name}, {"const": "all"}]}},
        "required": ["name"],
    }
    schema = compiled(definition, any_pattern=True)

    assert schema.admits({"name": "anything", "names": ["at", "all"]})
    assert schema.admits({"name": "anything", "names": "all"})
    for wrong in ({}, {"name": 5}, {"name": "x", "names": [5]}, {"name": "x", "names": "none"}):
        assert not schema.admits(wrong)
    assert schema.definition == definition
    with pytest.raises(NotASchema):
        compiled(definition)


@pytest.mark.parametrize(
    "definition",
    [
        {"pattern": 5},
        {"patternProperties": {"(": {}}},
        {"properties": {str(number): {"pattern": "("} for number in range(100)}},
        {"pattern": "(", "type": "strin"},
    ],
    ids=lambda definition: str(definition)[:40],
)
def test_what_is_no_schema_is_refused_for_tools_too(definition: Any) -> None:
    with pytest.raises(NotASchema):
        compiled(definition, any_pattern=True)


def test_a_reference_elsewhere_is_refused_without_asking_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        for key in ("$ref", "$dynamicRef"):
            with pytest.raises(NotASchema):
                compiled({key: f"http://127.0.0.1:{port}/schema.json#/x"})
        compiled({"$schema": f"http://127.0.0.1:{port}/dialect"})
        with pytest.raises(BlockingIOError):  # nobody waits to be let in
            listener.accept()


@pytest.mark.parametrize(
    ("pattern", "value"), [("^(a+)+$", "a" * 50_000 + "!"), (r"^(?=a)(a|a?)+\1$", "a" * 5_000 + "!")]
)
def test_a_pattern_that_backtracks_is_decided_soon(pattern: str, value: str) -> None:
    before = time.process_time()

    assert not compiled({"type": "string", "pattern": pattern}).admits(value)
    assert time.process_time() - before < 2


def test_a_value_that_is_too_deep_fits_nothing_and_crashes_nothing() -> None:
    """In a process of its own: the validator would overflow the stack."""
    program = """
from proxy.chat.tools.schema import compiled
value = 1
for _ in range(100_000):
    value = [value]
tree = compiled({"$ref": "#/$defs/a", "$defs": {"a": {"type": ["array", "integer"], "items": {"$ref": "#/$defs/a"}}}})
print(tree.admits(value), tree.faults(value), compiled({"type": "object"}).faults(value), tree.admits([[1]]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout == "False [] [] True\n"


def test_schemas_are_compiled_once() -> None:
    assert compiled({"type": "object", "title": "once"}) is compiled({"type": "object", "title": "once"})


def test_a_cache_keeps_what_was_used_last_and_nothing_large() -> None:
    cache: Cache[str, int] = Cache(800)
    for number in range(8):
        cache.put(str(number), number, 100)
    cache.get("0")
    cache.put("8", 8, 100)
    cache.put("large", 9, 101)

    assert [key for key in [*map(str, range(9)), "large"] if cache.get(key) is not None] == list("0") + list("2345678")


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
    ("given", "wanted"),
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
def test_what_nearly_fits_is_made_to_fit(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    value = WHOLE | given

    assert fit(value, compiled(CITY)) == (WHOLE | wanted if wanted or not given else WHOLE, bool(given))
    assert value == WHOLE | given  # the value itself stays as it is


def test_what_is_missing_is_set_where_the_schema_says_to_what() -> None:
    assert fit({"city": "Paris"}, compiled(CITY)) == (WHOLE, True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"days": "three"}, 'days: "three" is not of type "integer"'),
        (
            {"where": "null", "limit": {}},
            "limit: {} is not valid under any of the schemas listed in the 'anyOf' keyword",
        ),
        ({"where": {"x": "None"}}, 'where/x: "None" is not of type "number"'),
        ({"days": True}, 'days: true is not of type "integer"'),
        ({"colour": "red"}, "Additional properties are not allowed ('colour' was unexpected)"),
        ({"unit": "kelvin"}, 'unit: "kelvin" is not one of "celsius" or "fahrenheit"'),
        ({"where": {}}, 'where: "x" is a required property'),
        ({"city": ["Paris", "Rome"]}, 'city: ["Paris","Rome"] is not of type "string"'),
        ({"city": None}, 'city: null is not of type "string"'),
        ({"unit": ["celsius"]}, 'unit: ["celsius"] is not one of "celsius" or "fahrenheit"'),
        ({"limit": "many"}, "limit: \"many\" is not valid under any of the schemas listed in the 'anyOf' keyword"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told_with_its_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(Unfit) as raised:
        fit(WHOLE | given, compiled(CITY))
    assert str(raised.value) == told


def test_a_default_beside_a_reference_is_the_one_that_counts() -> None:
    unit = {"enum": ["celsius", "kelvin"], "default": "kelvin"}
    properties = {"a": {"$ref": "#/$defs/Unit", "default": "celsius"}, "b": {"$ref": "#/$defs/Unit"}}
    schema = compiled({"properties": properties, "required": ["a", "b"], "$defs": {"Unit": unit}})

    assert fit({}, schema) == ({"a": "celsius", "b": "kelvin"}, True)


@pytest.mark.parametrize("told", [{}, {"x": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}])
def test_what_is_missing_stays_so_where_the_schema_does_not_say_to_what_it_is_set(told: dict[str, Any]) -> None:
    with pytest.raises(Unfit, match='"x" is a required property'):
        fit({}, compiled({"properties": told, "required": ["x"]}))


def test_null_is_left_out_where_nothing_is_required() -> None:
    assert fit({"x": None}, compiled({"properties": {"x": {"type": "integer"}}})) == ({}, True)


@pytest.mark.parametrize(
    ("wanted", "given", "fitting"),
    [
        ({"enum": ["a", "b"]}, "A", "a"),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, [7], 7),
        ({"const": 1}, "1", 1),
    ],
)
def test_any_number_of_faults_is_mended(wanted: dict[str, Any], given: Any, fitting: Any) -> None:
    names = [f"p{number}" for number in range(20)]
    schema = compiled({"properties": dict.fromkeys(names, wanted)})

    assert fit(dict.fromkeys(names, given), schema) == (dict.fromkeys(names, fitting), True)


def test_what_is_told_of_a_long_value_is_short() -> None:
    with pytest.raises(Unfit) as raised:
        fit({"days": "x" * 100_000}, compiled({"properties": {"days": {"type": "integer"}}}))
    assert len(str(raised.value)) < 320
