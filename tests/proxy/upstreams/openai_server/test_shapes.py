"""Requests to a server and its chunks, as plain values, also of servers with their own habits."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.chat.ask import Ask, Image
from proxy.chat.tools.definitions import OutputFormat, Tool, ToolChoice, ToolConfig
from proxy.chat.upstream import Refusal
from proxy.upstreams.openai_server.quirks import Quirks
from proxy.upstreams.openai_server.requests import request_body
from shared.conversations import Message, ToolCall, ToolResult
from tests.proxy.upstreams.openai_server.chunks import feed, reader


def user(text: str, **fields: Any) -> Message:
    return Message(role="user", text=text, **fields)


def body_of(ask: Ask) -> dict[str, Any]:
    return dict(json.loads(request_body(ask, "tiny", Quirks())))


def test_a_bare_question_asks_for_nothing_else() -> None:
    assert body_of(Ask("m", (user("hi"),))) == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_results_without_an_id_are_those_of_the_calls_before_them() -> None:
    calls = (ToolCall(id="", name="look", arguments=""), ToolCall(id="", name="hear", arguments='{"a": 1}'))
    history = (
        user("go"),
        Message(role="assistant", text="", calls=calls),
        user("heard", result=ToolResult(name="hear")),
        user("seen", result=ToolResult()),
        user("nobody called it", result=ToolResult(name="smell")),
    )

    messages = body_of(Ask("m", history))["messages"]

    assert [(call["id"], call["function"]["arguments"]) for call in messages[1]["tool_calls"]] == [
        ("call_1_0", "{}"),
        ("call_1_1", '{"a": 1}'),
    ]
    assert messages[2] == {"role": "tool", "tool_call_id": "call_1_1", "content": "heard"}
    assert messages[3] == {"role": "tool", "tool_call_id": "call_1_0", "content": "seen"}
    assert messages[4] == {"role": "user", "content": "nobody called it"}


def test_pictures_of_results_come_after_all_results() -> None:
    calls = (ToolCall(id="a", name="look", arguments="{}"), ToolCall(id="b", name="look", arguments="{}"))
    history = (
        Message(role="assistant", text="", calls=calls),
        user("one", result=ToolResult(call_id="a"), images=("x",)),
        user("two", result=ToolResult(call_id="b"), images=("gone",)),
        user("well?"),
    )

    messages = body_of(Ask("m", history, media={"x": Image("image/png", "AA==")}))["messages"]

    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user", "user"]
    assert messages[3]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    assert messages[4]["content"] == "well?"


def test_a_choice_among_tools_leaves_the_others_out() -> None:
    tools = (Tool("look", "Looks."), Tool("hear", strict=True), Tool("say", kind="custom"))

    one = body_of(Ask("m", (user("go"),), tool_config=ToolConfig(tools, ToolChoice.of("hear"))))
    two = body_of(Ask("m", (user("go"),), tool_config=ToolConfig(tools, ToolChoice("required", ("look", "say")))))
    none = body_of(Ask("m", (user("go"),), tool_config=ToolConfig(tools, ToolChoice("none"))))

    assert one["tool_choice"] == {"type": "function", "function": {"name": "hear"}}
    assert [tool["function"]["name"] for tool in one["tools"]] == ["hear"]
    assert one["tools"][0]["function"]["strict"] is True
    assert (two["tool_choice"], [tool["function"]["name"] for tool in two["tools"]]) == ("required", ["look", "say"])
    assert two["tools"][1]["function"]["parameters"]["required"] == ["input"]
    assert (none["tool_choice"], len(none["tools"])) == ("none", 3)


@pytest.mark.parametrize(
    ("output", "sent"),
    [
        (OutputFormat(), {"type": "json_object"}),
        (OutputFormat(True), {"type": "json_schema", "json_schema": {"name": "answer", "schema": {}}}),
        (
            OutputFormat({"type": "object"}, "it", "What it is.", strict=True),
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "it",
                    "schema": {"type": "object"},
                    "description": "What it is.",
                    "strict": True,
                },
            },
        ),
    ],
)
def test_the_form_of_the_answer_is_asked_for(output: OutputFormat, sent: dict[str, Any]) -> None:
    assert body_of(Ask("m", (user("go"),), tool_config=ToolConfig(output_format=output)))["response_format"] == sent


def test_a_lone_surrogate_costs_a_character_and_more_stops_than_are_taken_are_left_to_us() -> None:
    sent = body_of(Ask("m", (user("a\ud83db 😀"),), stops=("1", "2", "3", "4", "5")))

    assert sent["messages"][0]["content"] == "a\ufffdb 😀"
    assert "stop" not in sent


def test_thoughts_are_left_out_and_refusals_told() -> None:
    reading = reader()
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "output_text", "text": "yes"}]
    text = feed(reading, {"reasoning_content": "hm"}, {"reasoning": "hm"}, {"content": parts}, {"refusal": "no"})

    assert text == "yes"
    assert reading.end().refusal == "no"


def details(cached: Any, thought: Any) -> dict[str, Any]:
    """Further counts of a usage."""
    groups = {"prompt_tokens_details": {"cached_tokens": cached}}
    return {**groups, "completion_tokens_details": {"reasoning_tokens": thought}}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4, 0, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 4, **details(2, 1)}, (3, 4, 2, 1)),
        ({"prompt_tokens": 3, "completion_tokens": -1, **details(-2, "1")}, (3, 0, 0, 0)),
        ({"prompt_tokens": -3, "completion_tokens": 4, "prompt_tokens_details": [2]}, (0, 4, 0, 0)),
        ({"prompt_tokens": 1, "completion_tokens": 0}, (1, 0, 0, 0)),
        *(({"prompt_tokens": one, "completion_tokens": other}, None) for one, other in ((0, 0), ("3", 4), (3, None))),
        ([1], None),
        (None, None),
    ],
)
def test_usage_is_what_the_server_tells(usage: Any, expected: tuple[int, int, int, int] | None) -> None:
    reading = reader()
    feed(reading, {"content": "x"})
    reading.read(json.dumps({"choices": [], "usage": usage}).encode())

    assert reading.end().usage == expected


def test_a_usage_that_is_told_in_between_stands_until_another_tells_more() -> None:
    reading = reader()
    for prompt, completion in ((3, 1), (3, 2), (0, 0)):
        usage = {"prompt_tokens": prompt, "completion_tokens": completion}
        chunk = {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
        reading.read(json.dumps(chunk).encode())

    assert reading.end().usage == (3, 2, 0, 0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "arguments",
                    "id",
                    "index",
                    "usage",
                    "error",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(_JSON, max_size=4))
@example([{"choices": {"delta": {}}}])
def test_whatever_comes_is_read_or_refused(chunks: list[Any]) -> None:
    reading = reader()
    with suppress(Refusal):
        for chunk in chunks:
            assert isinstance(reading.read(json.dumps(chunk).encode()), str)
        assert all(call.name for call in reading.calls)
        reading.end()
