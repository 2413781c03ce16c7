"""Calls written as Python code: plain ones are read, others asked for again, and none is run."""

import time
import warnings

import pytest

from proxy.chat.tools.loose_json import MalformedJson
from proxy.chat.tools.python_calls import calls_in_code
from tests.proxy.chat.tools.answer_reader import read


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("f()", [("f", {})]),
        ("print(f(a=1))", [("f", {"a": 1})]),
        (
            "a.b(c='''x\ny''')\n# why\nd(e=[True, {'f': -1.5}])",
            [("a.b", {"c": "x\ny"}), ("d", {"e": [True, {"f": -1.5}]})],
        ),
        (r"f(a='\d+')", [("f", {"a": r"\d+"})]),
        ("f({'a': [1]})", [("f", {"a": [1]})]),
        (r"f(a='\ud83d')", [("f", {"a": "?"})]),  # half a pair of surrogates, which no UTF-8 can hold
        ("", []),
    ],
)
def test_plain_calls_are_read(text: str, calls: object) -> None:
    """And no warning is given, which would quote them."""
    with warnings.catch_warnings(action="error"):
        assert list(calls_in_code(text)) == calls


@pytest.mark.parametrize(
    "text",
    [
        *(
            "f({'a': 1}, b=2)",
            "f({}, {})",
            "f({'a': b})",
            "f([1])",
            "f(1)",
            "f(**x)",
            "f(a=b)",
            "f(a=g())",
            "x = f()",
            "f() if True else g()",
            "for x in y: f()",
            "f(a={1})",
        ),
        *("f(a=b'x')", "f(a=1e999)", "f(", "f(a=1j)", "print(f(), g())", "lambda: f()", "f" * 20_000, "\0"),
        *(
            "-" * 15_000 + "1",
            "(" * 5_000,
            "[" * 5_000,
            "f(a=" + "-" * 9_000 + "1)",
            "f(a=" * 3_000,
            "x." * 7_000 + "f()",
        ),
    ],
    ids=lambda text: text[:12],
)
def test_all_else_is_broken_and_soon(text: str) -> None:
    before = time.process_time()

    with pytest.raises(MalformedJson):
        list(calls_in_code(text))
    assert time.process_time() - before < 2


def test_broken_code_of_a_declared_tool_is_asked_for_again() -> None:
    outcome = read(["```tool_code\nget_weather(place_of(me))\n```"])

    assert (outcome.text, outcome.calls) == ("", [])
    assert outcome.verdict.problem == "the call of get_weather is no JSON: arguments need names"


def test_code_that_breaks_off_is_never_given() -> None:
    outcome = read(['```tool_code\nget_weather(city="Par'], cut=True)

    assert (outcome.text, outcome.calls, outcome.verdict.has_partial) == ("", [], True)
