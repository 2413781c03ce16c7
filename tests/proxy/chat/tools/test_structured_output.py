"""Answers by schema: valid JSON alone, or an error that names what is wrong."""

import json
import re
from typing import Any

import pytest

from proxy.chat.tools.coercion import SchemaMismatch
from proxy.chat.tools.definitions import OutputFormat
from proxy.chat.tools.structured_output import read_structured_output

WANTED = OutputFormat(
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "s": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
)


@pytest.mark.parametrize(
    ("text", "value", "repaired"),
    [
        ('{"a": 1}', {"a": 1}, False),
        ('```json\n{"a": 1}\n```', {"a": 1}, False),
        ('```\n{"a": 1}\n```', {"a": 1}, False),
        ('```json\n{"a": "1"}\n```', {"a": 1}, True),
        ('Here you are:\n\n```json\n{"a": 1,}\n```\nDone.', {"a": 1}, True),
        ('好的：{"a": 1}。', {"a": 1}, False),
        ('{"a": 1}\n\nI hope it helps!', {"a": 1}, False),
        ('Like {this}: {"a": 2}', {"a": 2}, False),
        ('{"s": "```\\nx\\n```", "a": 2}', {"s": "```\nx\n```", "a": 2}, False),
        ('```json\n{"s": "x\n```\ny", "a": 2}\n```', {"s": "x\n```\ny", "a": 2}, True),
        ('```json\n{"s": "x", "a": 2\n```', {"s": "x", "a": 2}, True),
        ('<think>\n{"a": 2}? No.</think>\n{"a": 1, "s": "</think>"}', {"a": 1, "s": "</think>"}, False),
        ('<think>{"a": 1}</think>', {"a": 1}, False),
        ('Or {"a": 2}?\n</think>\n\n{"a": 1}', {"a": 1}, False),
        ('Here: {"a": 1, "s": "</think>"}', {"a": 1, "s": "</think>"}, False),
        ('{"a": 1, "s": "</think>{}"}', {"a": 1, "s": "</think>{}"}, False),
        ('```json\n{"b": 1}\n```\nNo:\n```json\n{"a": 3}\n```', {"a": 3}, False),
    ],
)
def test_the_json_is_found(text: str, value: Any, repaired: bool) -> None:
    answer = read_structured_output(text, WANTED)

    assert (json.loads(answer.value), answer.repaired) == (value, repaired)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no JSON in the answer"),
        ("I cannot say.", "Expecting value"),
        ('{"a": "x"}', 'a: "x" is not of type "integer"'),
        ('{"s": "x"}', '"a" is a required property'),
        ('{"a": 12', "Expecting ',' delimiter"),
        ('```json\n{"a": 1, "s": "x', "Unterminated string"),
    ],
)
def test_errors_name_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SchemaMismatch, match=re.escape(message)):
        read_structured_output(text, WANTED)


def test_nothing_is_added_to_what_was_cut_off() -> None:
    text = '```json\n{"s": "x", "a": [1]'

    assert read_structured_output(text, WANTED).value == '{"s":"x","a":1}'
    with pytest.raises(SchemaMismatch):
        read_structured_output(text, WANTED, cut=True)


def test_without_a_schema_any_object_will_do() -> None:
    assert read_structured_output('{"x": [1]}', OutputFormat()).value == '{"x":[1]}'
    with pytest.raises(SchemaMismatch):
        read_structured_output("[1, 2]", OutputFormat())


@pytest.mark.parametrize(("schema", "text"), [({"type": "integer"}, "42"), ({"type": "string"}, '"x"'), (True, "[1]")])
def test_a_schema_may_want_something_else_than_an_object(schema: Any, text: str) -> None:
    assert read_structured_output(text, OutputFormat(schema)).value == text


@pytest.mark.parametrize("text", ["{" * 50_000, "```json\n" * 10_000, '{"a":"' * 10_000, "[1]" * 20_000])
def test_nothing_takes_long(text: str) -> None:
    with pytest.raises(SchemaMismatch):
        read_structured_output(text, WANTED)
