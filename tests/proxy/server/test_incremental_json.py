"""A large text is read as the fast parser reads it, in steps that are short however it is made."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.server import incremental_json
from proxy.server.incremental_json import MAX_DEPTH, MAX_TEXT, InvalidJson, JsonTooLarge, loads

texts = st.text(st.sampled_from('aé汉😀"\\/\n\t\0'), max_size=40)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
raw = st.lists(
    st.sampled_from(
        [
            *('"', "\\", r"\n", r"\u00e9", r"\ud83d", r"\ude00", r"\u12", "ud83d", "{", "}", "[", "]", ",", ":", " "),
            *("\n", "1", "-", "e5", "0", "true", "nul", "汉", "😀", "a", "\x01", '"a"', '"k":'),
        ]
    ),
    max_size=14,
).map("".join)


@pytest.fixture(autouse=True, params=[7, 64, incremental_json.CHUNK])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where every string is read in many pieces. A piece takes in any single character, escapes included."""
    monkeypatch.setattr(incremental_json, "CHUNK", max(request.param, 14))


def fast(text: bytes) -> object:
    """What the fast parser makes of it; None stands for a refusal."""
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return None


def gradual(text: bytes) -> object:
    try:
        return [loads(text)]
    except InvalidJson:
        return None


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_valid_json_is_read_as_by_the_fast_parser(value: object, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()

    assert gradual(text) == fast(text)
    assert gradual(text[:-1]) == fast(text[:-1])


@given(raw)
def test_invalid_json_is_refused_as_by_the_fast_parser(text: str) -> None:
    sent = incremental_json.replace_lone_surrogates(text.encode())

    assert gradual(sent) == fast(sent)
    assert gradual(text.encode()) == fast(sent)


def test_one_wrong_character_anywhere_is_refused_as_by_the_fast_parser() -> None:
    text = b' {"a":[1,{"b":null, "c":[]},"d"],"e\\n":{}}\n'
    for position in range(len(text) + 1):
        for added in (b"", b",", b":", b'"', b"{", b"}", b"[", b"]", b"1", b" ", b"\\"):
            for changed in (text[:position] + added + text[position:], text[:position] + added + text[position + 1 :]):
                assert gradual(changed) == fast(changed), changed


def test_lone_surrogates_become_replacement_characters_wherever_the_text_is_cut() -> None:
    for blanks in range(40):
        assert loads(b'"%s\\ud83d\\ude00"' % (b" " * blanks)) == " " * blanks + "😀"
        assert loads(b'"%s\\ud83d"' % (b" " * blanks)) == " " * blanks + "\ufffd"
        assert loads(b'"%s\\ude00x\\\\ud83d"' % (b" " * blanks)) == " " * blanks + "\ufffdx\\ud83d"
        assert loads(b'"%s\\ud83d\\ud83d\\ude00"' % (b" " * blanks)) == " " * blanks + "\ufffd😀"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert loads(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize("text", [b"[" + b"[]," * 2000 + b"1]", b"[" * (MAX_DEPTH + 1), b'{"a":' * (MAX_DEPTH + 1)])
def test_more_than_anybody_needs_is_refused(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(incremental_json, "MAX_VALUES", 2000)

    with pytest.raises(JsonTooLarge):
        loads(text)


def test_texts_are_bounded() -> None:
    assert len(loads(b'"%s"' % (b"a " * (MAX_TEXT // 2)))) == MAX_TEXT
    with pytest.raises(JsonTooLarge):
        loads(b'"%s"' % (b"a " * (MAX_TEXT // 2 + 1)))


@pytest.mark.parametrize("text", [b'"data:%s"', b'[{"data":"iVBO%s"}]', b'{"a":1,"file_data":"%s"}'])
def test_data_may_be_longer_than_texts(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(incremental_json, "MAX_TEXT", 500)
    monkeypatch.setattr(incremental_json, "MAX_DATA", 1000)

    assert loads(text % (b"A" * 900)) == orjson.loads(text % (b"A" * 900))
    for broken in (text % (b"A" * 1001), b'{"data":["%s"]}' % (b"A" * 900), b'{"data":1,"a":"%s"}' % (b"A" * 900)):
        with pytest.raises(JsonTooLarge):
            loads(broken)


@pytest.mark.usefixtures("unmeasured")
def test_as_many_tokens_are_read_as_may_be_embedded() -> None:
    texts = [[number % 100_000 for number in range(300)]] * 1000

    assert loads(json.dumps({"input": texts}).encode()) == {"input": texts}


def test_as_much_as_may_be_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental_json, "MAX_VALUES", 2000)

    assert len(loads(b"[" + b"0," * 1998 + b"0]")) == 1999
    assert gradual(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
