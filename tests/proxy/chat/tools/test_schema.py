"""Clients' schemas: invalid ones are refused, and none hangs, fetches or crashes."""

import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from proxy.chat.nesting import MAX_DEPTH
from proxy.chat.tools.cache import Cache
from proxy.chat.tools.schema import InvalidSchema, compile_schema


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
def test_invalid_schemas_are_refused(definition: Any) -> None:
    with pytest.raises(InvalidSchema):
        compile_schema(definition)


def test_a_format_is_an_annotation_and_a_hundred_levels_are_a_schema() -> None:
    assert compile_schema({"format": "date"}).is_valid("soon")
    assert compile_schema(nested(MAX_DEPTH, "items")).is_valid([])


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
    schema = compile_schema(definition)

    assert schema.is_valid(fits)
    assert not schema.is_valid(wrong)


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
    schema = compile_schema(definition, any_pattern=True)

    assert schema.is_valid({"name": "anything", "names": ["at", "all"]})
    assert schema.is_valid({"name": "anything", "names": "all"})
    for wrong in ({}, {"name": 5}, {"name": "x", "names": [5]}, {"name": "x", "names": "none"}):
        assert not schema.is_valid(wrong)
    assert schema.definition == definition
    with pytest.raises(InvalidSchema):
        compile_schema(definition)


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
def test_invalid_schemas_are_refused_for_tools_too(definition: Any) -> None:
    with pytest.raises(InvalidSchema):
        compile_schema(definition, any_pattern=True)


def test_a_reference_by_a_bare_path_is_the_pointer_that_it_means() -> None:
    place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    to = {"type": "array", "items": {"$ref": "/$defs/Place"}}
    definition = {"$defs": {"Place": place}, "properties": {"to": to, "$ref": {"const": "/"}}}
    schema = compile_schema(definition)

    assert schema.is_valid({"to": [{"city": "Rome"}], "$ref": "/"})
    assert not schema.is_valid({"to": [{"town": "Rome"}]})
    assert not schema.is_valid({"$ref": "#/"})
    assert schema.definition == definition
    assert schema.resolve_ref("/$defs/Place") == place
    with pytest.raises(InvalidSchema):
        compile_schema({**definition, "$defs": {}})


def test_a_reference_elsewhere_is_refused_without_asking_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        for key in ("$ref", "$dynamicRef"):
            with pytest.raises(InvalidSchema):
                compile_schema({key: f"http://127.0.0.1:{port}/schema.json#/x"})
        compile_schema({"$schema": f"http://127.0.0.1:{port}/dialect"})
        with pytest.raises(BlockingIOError):  # nobody waits to be let in
            listener.accept()


@pytest.mark.parametrize(
    ("pattern", "value"), [("^(a+)+$", "a" * 50_000 + "!"), (r"^(?=a)(a|a?)+\1$", "a" * 5_000 + "!")]
)
def test_a_pattern_that_backtracks_is_decided_soon(pattern: str, value: str) -> None:
    before = time.process_time()

    assert not compile_schema({"type": "string", "pattern": pattern}).is_valid(value)
    assert time.process_time() - before < 2


def test_a_value_that_is_too_deep_fits_nothing_and_crashes_nothing() -> None:
    """In a process of its own: the validator would overflow the stack."""
    program = """
from proxy.chat.tools.schema import compile_schema
value = 1
for _ in range(100_000):
    value = [value]
tree = compile_schema(
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": ["array", "integer"], "items": {"$ref": "#/$defs/a"}}}})
other = compile_schema({"type": "object"})
print(tree.is_valid(value), tree.errors(value), other.errors(value), tree.is_valid([[1]]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert run.stdout == "False [] [] True\n"


def test_schemas_are_compiled_once() -> None:
    assert compile_schema({"type": "object", "title": "once"}) is compile_schema({"type": "object", "title": "once"})


def test_a_cache_keeps_what_was_used_last_and_nothing_large() -> None:
    cache: Cache[str, int] = Cache(800)
    for number in range(8):
        cache.put(str(number), number, 100)
    cache.get("0")
    cache.put("8", 8, 100)
    cache.put("large", 9, 101)

    assert [key for key in [*map(str, range(9)), "large"] if cache.get(key) is not None] == list("0") + list("2345678")


def test_its_library_is_imported_only_where_a_schema_is_compiled() -> None:
    """It takes 4 MB of an idle proxy."""
    code = "import sys, proxy.app, proxy.service\nprint('jsonschema_rs' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
