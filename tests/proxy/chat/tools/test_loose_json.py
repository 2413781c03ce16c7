"""JSON as models write it: repairs keep its meaning, and incomplete JSON stays invalid."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.chat.tools.json_scanner import JsonScanner
from proxy.chat.tools.loose_json import MalformedJson, dump_json, read_loose_json

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["a // b", "it's", 'say "hi"', "x,}", "# no", "None"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, min_size=1, max_size=3)


def _trailing_commas(value: Any) -> str:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return re.sub(r"([^\s\[{])(\n\s*[}\]])", r"\1,\2", text)


def _raw_line_feeds(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace(r"\n", "\n").replace(r"\t", "\t")


def _comments(value: Any) -> str:
    return json.dumps(value, indent=1).replace("\n", ' // it\'s "here" }\n')


WAYS: list[Callable[[Any], str]] = [repr, _trailing_commas, _raw_line_feeds, _comments]


@given(objects, st.sampled_from(WAYS))
def test_repaired_json_is_what_was_meant(value: dict[str, Any], way: Callable[[Any], str]) -> None:
    text = way(value)
    if (way is repr and ("\\x" in text or "\\U" in text)) or (way is _raw_line_feeds and r"\\" in json.dumps(value)):
        return  # escapes that JSON does not know are kept as they stand

    assert read_loose_json(text).value == value


@given(objects)
def test_valid_json_is_never_touched(value: dict[str, Any]) -> None:
    assert read_loose_json(json.dumps(value)) == (value, False)
    assert json.loads(dump_json(value)) == value


@given(objects)
def test_missing_brackets_are_added_only_where_that_is_asked_for(value: dict[str, Any]) -> None:
    text = json.dumps(value).rstrip("}]")
    whole = json.dumps(value)
    if json.loads(whole) != value or text.count('"') == 0 or text[-1:] in "[{":
        return

    with pytest.raises(MalformedJson):
        read_loose_json(text)
    assert read_loose_json(text, close=True) == (value, True)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b',
        '{"a": 1,',
        '{"a":',
        '{"a": [1, 2',
        "",
        "no JSON",
        '{"a": [1}',
        "{}}x",
        "[" * 100_000,
        "[" * 102 + "]" * 102,
        '{"a":' * 101,
    ],
    ids=lambda text: text[:12],
)
def test_incomplete_json_stays_invalid(text: str) -> None:
    with pytest.raises(MalformedJson):
        read_loose_json(text)


@pytest.mark.parametrize("text", ['{"a": "b', '{"a": 1,', '{"a":', '{"a": "b\\'])
def test_more_than_brackets_is_never_added(text: str) -> None:
    with pytest.raises(MalformedJson):
        read_loose_json(text, close=True)


def test_errors_have_their_position() -> None:
    with pytest.raises(MalformedJson) as exc_info:
        read_loose_json('{"name": "x", "arguments": {"a": [1}}')
    assert str(exc_info.value) == "Expecting ',' delimiter at " + json.dumps('arguments": {"a": [1}}')


@pytest.mark.parametrize(
    "text",
    ['{"a"' * 10_000, '{"a":"b" "' * 5_000, "{'a':'" + "it's " * 10_000, "{" + "," * 50_000, '{"a":["' + '",' * 20_000],
)
def test_mending_takes_no_long_time(text: str) -> None:
    before = time.process_time()

    with pytest.raises(MalformedJson):
        read_loose_json(text)
    assert time.process_time() - before < 2


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "-inf"])
def test_nan_and_infinity_are_kept_as_strings(word: str) -> None:
    assert read_loose_json(f'{{"a": {word}, "b": [{word}]}}') == ({"a": word, "b": [word]}, True)


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": -x}', '{"a": !true}', '{"a": ~5}', '{"a": $x}', '{"a": *}', '{"a": …}', '{"a": [1, 2, ...]}'),
        *('{"a": , "b": 1}', '{"a": "", "b": }', '{"a":}', '{"a": 1 2}', '{"a": {}, {}}'),
        *("{‘a’: ‘x’}", '{"a": «x»}', '{"a": [1 2]}', '{"a": "x", "y"}', '{"a": "x" + "y"}', '{"a": ["x" "y"]}'),
        *('{"a": "f"{x["k"]}""}', '{"a": ["print("x", ")", "y"]}', "{'a': 'x', 'y'}", '{"a": "say "hi" and '),
        *("word", "[word]", '{"a": [b, c]}'),
    ],
)
def test_nothing_that_was_written_is_left_out_and_nothing_else_is_set(text: str) -> None:
    with pytest.raises(MalformedJson):
        read_loose_json(text)


@pytest.mark.parametrize(
    "written",
    [
        *('say "hi"', '<a href="x">y</a>', 'd = {"k": ["v", 1]}', 'git commit -m "fix: it"', '他说"好"。'),
        *('if a == "b":\n    print("c, d")', '    x = "y"\n', '"all of it"', '{"k": "v", "l": "w"}', 'cd "C:/x"'),
        *('print("hi:", end="")', 'SELECT "a" WHERE x = ""; ', '"""It\'s "this"."""\n', "'a' or \"b\""),
    ],
)
def test_quotes_that_were_not_escaped_are_part_of_their_string(written: str) -> None:
    for value in ({"a": written, "b": ""}, {"b": [{"a": written}]}, {"a": ["b", written]}):
        escaped = json.dumps(value, ensure_ascii=False)
        assert read_loose_json(escaped.replace(r"\"", '"')) == (value, True)


@pytest.mark.parametrize("written", ["it's", "say 'hi' now", "print('a', 'b')\n", "don't 'x'"])
def test_single_quotes_that_were_not_escaped_are_part_of_their_string(written: str) -> None:
    text = json.dumps({"a": [written], "b": written}, ensure_ascii=False)
    assert read_loose_json(text.replace('"', "'")) == ({"a": [written], "b": written}, True)


def test_code_with_quotes_that_were_not_escaped_is_read_as_it_was_written_or_not_at_all() -> None:
    lines = Path(__file__).read_text("utf-8").splitlines(keepends=True)
    read = Counter[str]()
    for at in range(0, len(lines), 3):
        value = {"name": "edit", "arguments": {"edits": [{"new": "".join(lines[at : at + 4])}], "path": "a"}}
        text = json.dumps(value, ensure_ascii=False)
        if (loose := text.replace(r"\"", '"')) != text and '\\"' not in loose:
            try:
                assert read_loose_json(loose).value == value
                read["whole"] += 1
            except MalformedJson:
                read["broken"] += 1

    assert read["whole"] > read["broken"]


@pytest.mark.parametrize(
    "text", ['{"a": "b "c"",\n "d": "e "f"",}', '{"a": "b "c""\n "d": "e "f""}', '{"a": "b "c"", d: "e "f""}']
)
def test_quotes_that_were_not_escaped_and_commas_that_are_wrong_are_repaired_both(text: str) -> None:
    assert read_loose_json(text) == ({"a": 'b "c"', "d": 'e "f"'}, True)
    assert read_loose_json('{"a": ["x "y"",]}') == ({"a": ['x "y"']}, True)


def test_one_text_with_quotes_is_found_among_many_keys() -> None:
    value = {f"key {number}(": number for number in range(60)} | {"a": 'b "c"'}
    assert read_loose_json(json.dumps(value).replace(r"\"", '"')) == (value, True)


@pytest.mark.parametrize("text", ['[{"a": 1\n "b": "c"}]', '[{"a": 1, "b": c}]'])
def test_a_comma_between_lines_and_quotes_around_a_word_are_added(text: str) -> None:
    assert read_loose_json(text) == ([{"a": 1, "b": "c"}], True)
    assert read_loose_json(f"[{text[1:-1]}\n{text[1:-1]}]") == ([{"a": 1, "b": "c"}] * 2, True)


def test_signs_do_not_prevent_repair() -> None:
    assert read_loose_json('{"a-": "say "-5" now", "-b": "x"}') == ({"a-": 'say "-5" now', "-b": "x"}, True)


def test_half_a_pair_of_surrogates_is_no_text() -> None:
    assert read_loose_json('{"a": "\\ud83d"}').value == {"a": "?"}
    assert dump_json("\ud83d") == '"?"'


@given(values.filter(lambda value: isinstance(value, (dict, list))), st.text(max_size=5), st.integers(1, 5))
def test_the_end_of_a_value_is_found_in_any_pieces(value: Any, after: str, size: int) -> None:
    text = json.dumps(value, ensure_ascii=False)
    scanner, at = JsonScanner(), 0
    for start in range(0, len(text + after), size):
        end = scanner.feed((text + after)[start : start + size])
        if end >= 0:
            at = start + end
            break

    assert at == len(text)


def _scanned(pieces: list[str]) -> tuple[int, bool, bool, int]:
    scanner, at = JsonScanner(), 0
    for piece in pieces:
        end = scanner.feed(piece)
        if end >= 0:
            return at + end, scanner.is_stuck, False, 0
        at += len(piece)
    return -1, False, scanner.in_string, scanner.depth


@given(st.lists(st.sampled_from([*"{}[]\"'“”#/ \na,<`\\", "//", "it's", "{'", "} <"]), max_size=12).map("".join))
def test_loose_json_is_scanned_alike_in_any_pieces(text: str) -> None:
    text = "{" + text
    assert _scanned([text]) == _scanned([*text])
