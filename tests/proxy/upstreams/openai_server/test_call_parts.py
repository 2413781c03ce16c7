"""The calls of a server's answer, put together from what comes of them."""

import json
from typing import Any

import pytest

from proxy.chat.tools.definitions import Tool, ToolConfig
from tests.proxy.upstreams.openai_server.chunks import feed, piece, reader


@pytest.mark.parametrize(
    "deltas",
    [
        [piece("", index=0, id="a", name="look"), piece('{"x"', index=0), piece(":1}", index=0)],
        [piece('{"x":1}', id="a", name="look")],  # without an index
        [piece({"x": 1}, index=0, id="a", name="look")],  # arguments as an object
        [piece('{"x":1}', index=0, id="a", name="look"), {"content": None}],
    ],
)
def test_calls_are_put_together(deltas: list[dict[str, Any]]) -> None:
    reading = reader()
    feed(reading, *deltas, reason="stop")

    (call,) = reading.calls

    assert (call.id, call.name, json.loads(call.arguments)) == ("a", "look", {"x": 1})
    assert reading.end().reason == "tool_calls"


def test_calls_that_are_all_counted_as_the_first_are_distinguished_by_their_ids() -> None:
    reading = reader()
    feed(reading, piece("{}", index=0, id="a", name="look"), piece("{}", index=0, id="b", name="hear"))

    assert [(call.id, call.name) for call in reading.calls] == [("a", "look"), ("b", "hear")]


@pytest.mark.parametrize("more", [{"id": ""}, {"name": ""}, {"id": "b"}, {"id": "b", "name": "look"}])
def test_calls_that_are_all_counted_as_the_first_are_distinguished_where_one_is_whole(more: dict[str, str]) -> None:
    reading = reader()
    first = piece("", index=0, name="look"), piece('{"x":"}', index=0), piece('{"}', index=0), piece(" ", index=0)
    feed(reading, *first, piece('{"x"', index=0, **more), piece(":{}}", index=0), piece({"x": 1}, index=0, name="hear"))

    calls = [(call.name, json.loads(call.arguments)["x"]) for call in reading.calls]
    assert calls == [("look", "}{"), ("look", {}), ("hear", 1)]


def test_a_call_without_an_id_gets_one_that_stays() -> None:
    reading = reader()
    feed(reading, {"function_call": {"name": "look", "arguments": ""}}, reason="function_call")

    assert [(call.id, call.arguments) for call in reading.calls] == [("made_up", "{}")]
    assert reading.end().reason == "tool_calls"


@pytest.mark.parametrize("reason", ["length", "max_tokens"])
def test_a_call_that_the_limit_cut_is_never_given_out(reason: str) -> None:
    reading = reader()
    nameless, cut = piece("{}", index=2), piece('{"x"', index=1, id="b", name="hear")
    feed(reading, piece("{}", index=0, id="a", name="look"), nameless, cut, reason=reason)

    assert [call.name for call in reading.calls] == ["look"]
    assert reading.end().reason == "length"


@pytest.mark.parametrize(
    ("content", "call"),
    [("yes", {}), ("", piece("{}", id="a", name="look")), ("yes", piece("{}", id="a", name="look"))],
)
def test_an_answer_in_chunks_that_is_told_once_more_as_one_message_is_read_once(
    content: str, call: dict[str, Any]
) -> None:
    reading = reader()
    feed(reading, {"role": "assistant"}, {"content": content}, call)
    whole = {"role": "assistant", "content": content, **call}

    text = reading.read(json.dumps({"choices": [{"delta": {}, "message": whole, "finish_reason": "stop"}]}).encode())

    assert (text, [each.arguments for each in reading.calls]) == ("", ["{}"] if call else [])


def test_custom_tools_and_namespaces_are_found_again() -> None:
    offer = ToolConfig((Tool("say", kind="custom"), Tool("run", namespace="a"), Tool("run", namespace="b")))
    reading = reader(offer)
    feed(
        reading,
        piece('{"input":"free text"}', index=0, id="1", name="say"),
        piece("{}", index=1, id="2", name="b__run"),
    )

    call, ran = reading.calls

    assert (call.kind, call.arguments) == ("custom", "free text")
    assert (ran.name, ran.namespace) == ("run", "b")
