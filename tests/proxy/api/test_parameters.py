"""Single parameters of a request, at the very borders of what makes sense."""

from typing import Any

import pytest

from proxy.api.parameters import (
    MAX_KEY,
    MAX_NUMBER,
    MAX_PAIRS,
    MAX_VALUE,
    read_known,
    read_limit,
    read_metadata,
    read_new_metadata,
    read_page_size,
    read_whole,
)
from proxy.chat.errors import ServiceError


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 1}, 1),
        ({"max_tokens": 4096.0}, 4096),
        ({"max_tokens": 0, "max_completion_tokens": 9}, 9),
        ({"max_tokens": 5, "max_completion_tokens": 9}, 5),
    ],
)
def test_the_lowest_limit_that_is_set_counts(body: dict[str, Any], limit: int | None) -> None:
    assert read_limit(body, "max_tokens", "max_completion_tokens") == limit


@pytest.mark.parametrize("value", [-2, 1.5, True, "5", [], float("inf")])
def test_what_is_no_limit_is_refused(value: Any) -> None:
    with pytest.raises(ServiceError) as exc_info:
        read_limit({"max_tokens": value}, "max_tokens")

    assert (exc_info.value.status, exc_info.value.param) == (400, "max_tokens")


@pytest.mark.parametrize(("value", "read"), [(1e30, MAX_NUMBER), (-(10**30), -MAX_NUMBER), (MAX_NUMBER, MAX_NUMBER)])
def test_a_number_without_end_is_as_large_as_any(value: Any, read: int) -> None:
    assert read_whole({"n": value}, "n") == read


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("presence_penalty", -2, 2),
        ("frequency_penalty", -2, 2),
        ("top_logprobs", 0, 20),
    ],
)
def test_ranges_hold_their_ends_and_nothing_beyond(name: str, least: int, most: int) -> None:
    assert read_known({name: least}, [name]).keys() == read_known({name: float(most)}, [name]).keys() == {name}
    for beyond in (least - 0.5, least - 1, most + 0.5, most + 1, True, str(most)):
        with pytest.raises(ServiceError):
            read_known({name: beyond}, [name])


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"top_p": -0.1}, "top_p", "decimal_below_min_value"),
        ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"max_tool_calls": 0}, "max_tool_calls", "integer_below_min_value"),
        ({"logit_bias": {"5": 101}}, "logit_bias", "decimal_above_max_value"),
        ({"logit_bias": {"5": -101}}, "logit_bias", "decimal_below_min_value"),
        *(({name: 1.5}, name, "invalid_type") for name in ("seed", "top_k", "top_logprobs", "max_tool_calls")),
        *(({name: "x"}, name, "invalid_type") for name in ("seed", "min_p", "logit_bias", "logprobs", "reasoning")),
        *(({name: 5}, name, "invalid_type") for name in ("reasoning_effort", "verbosity", "audio", "suffix")),
        ({"reasoning": {"effort": 5}}, "reasoning.effort", "invalid_type"),
        ({"logit_bias": {"5": None}}, "logit_bias", "invalid_type"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_by_its_field(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        read_known(fields, list(fields))

    assert (exc_info.value.status, exc_info.value.param, exc_info.value.code) == (400, param, code)


def test_what_makes_sense_is_passed_on_and_what_is_not_there_is_not() -> None:
    given: dict[str, Any] = {
        "seed": -1.0,
        "top_k": 10**20,
        "min_p": 1.5,
        "max_tool_calls": 1,
        "logprobs": False,
        "suffix": "",
        "logit_bias": {"5": 100, "6": -100.0},
        "reasoning": {"effort": "odd"},
        "repetition_penalty": -5,
    }

    assert read_known({**given, "temperature": None, "user": 5}, [*given, "temperature", "top_p"]) == given


@pytest.mark.parametrize(("limit", "size"), [(None, 20), ("1", 1), ("099", 99), ("100", 100)])
def test_a_page_has_as_many_things_as_are_asked_for(limit: str | None, size: int) -> None:
    assert read_page_size({} if limit is None else {"limit": limit}, 20, 100) == size


@pytest.mark.parametrize("limit", ["0", "101", "-1", "+1", "1.0", "", " 1", "0001", "\u00b2", "\u0661"])
def test_a_page_of_another_size_is_refused(limit: str) -> None:
    with pytest.raises(ServiceError) as exc_info:
        read_page_size({"limit": limit}, 20, 100)

    assert (exc_info.value.status, exc_info.value.param, exc_info.value.code) == (400, "limit", "invalid_value")


def test_metadata_have_openais_limits() -> None:
    most = {f"{number:0{MAX_KEY}}": "x" * MAX_VALUE for number in range(MAX_PAIRS)}
    assert read_metadata(most) == most
    assert read_metadata(None) == {}

    key, value = "x" * (MAX_KEY + 1), "x" * (MAX_VALUE + 1)
    wrong: list[Any] = [{**most, "one more": ""}, {key: ""}, {"a": value}, {"a": 1}, []]
    for each in wrong:
        with pytest.raises(ServiceError):
            read_metadata(each)


def test_metadata_are_not_emptied_by_leaving_them_out() -> None:
    assert read_new_metadata({"metadata": None}) == {}
    with pytest.raises(ServiceError):
        read_new_metadata({})


def test_reasoning_without_an_effort_asks_for_none() -> None:
    assert read_known({"reasoning": {"effort": None}}, ["reasoning"]).keys() == {"reasoning"}
    with pytest.raises(ServiceError) as exc_info:
        read_known({"reasoning": {"effort": 3}}, ["reasoning"])
    assert exc_info.value.param == "reasoning.effort"
