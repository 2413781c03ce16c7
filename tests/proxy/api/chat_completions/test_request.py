"""Parse chat requests: valid ones are accepted, invalid ones are a 400 that names the field."""

import base64
import hashlib
from typing import Any

import orjson
import pytest

from proxy.api.chat_completions.request import ChatRequest, parse_chat
from proxy.chat.ask import Image
from proxy.chat.errors import ServiceError
from proxy.server.bodies import parse_json
from shared.conversations import ToolResult

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
PNG_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
USER = {"role": "user", "content": "hi"}


def parse(**fields: Any) -> ChatRequest:
    return parse_chat({"model": "m", "messages": [USER], **fields})


def refused(**fields: Any) -> ServiceError:
    with pytest.raises(ServiceError) as exc_info:
        parse(**fields)
    assert exc_info.value.status == 400
    return exc_info.value


def test_a_plain_request_is_read() -> None:
    chat = parse(stream=True, stream_options={"include_usage": True}, conversation_id="conv_1", web_search=True)

    assert chat.ask.model == "m"
    assert [(message.role, message.text) for message in chat.ask.messages] == [("user", "hi")]
    assert (chat.stream, chat.include_usage, chat.ask.conversation_id, chat.ask.web_search) == (
        True,
        True,
        "conv_1",
        True,
    )


def test_nulls_count_as_not_sent() -> None:
    chat = parse(stream=None, stream_options=None, conversation_id=None, web_search=None, max_tokens=None)

    assert (chat.stream, chat.include_usage, chat.ask.conversation_id, chat.ask.web_search) == (
        False,
        False,
        None,
        False,
    )


@pytest.mark.parametrize("options", [{}, {"include_usage": False}, {"include_usage": None}])
def test_usage_is_sent_only_when_asked_for(options: dict[str, Any]) -> None:
    assert not parse(stream_options=options).include_usage


def test_openais_search_options_mean_the_same_as_web_search() -> None:
    assert parse(web_search_options={}).ask.web_search


def test_roles_and_content_parts_are_normalised() -> None:
    chat = parse(
        messages=[
            {"role": "developer", "content": "rules"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "content": "result", "tool_call_id": "x"},
        ]
    )

    assert [(message.role, message.text) for message in chat.ask.messages] == [
        ("system", "rules"),
        ("user", "a\nb"),
        ("assistant", ""),
        ("user", "result"),
    ]
    assert chat.ask.messages[3].result == ToolResult(call_id="x")


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"a":NaN}', b'\xef\xbb\xbf{"a":-Infinity}', b'\xef\xbb\xbf{"a":1e999}'])
def test_what_is_no_number_of_json_is_refused_behind_a_byte_order_mark_too(body: bytes) -> None:
    with pytest.raises(ServiceError) as exc_info:
        parse_json(body)

    assert exc_info.value.status == 400


def test_numbers_of_any_length_can_be_written_again() -> None:
    body = parse_json(b'\xef\xbb\xbf{"a":1' + b"0" * 30 + b',"b":-7,"c":1.5}')

    assert orjson.loads(orjson.dumps(body)) == {"a": 1e30, "b": -7, "c": 1.5}
    assert parse(max_tokens=10**30).ask.max_tokens == parse(max_tokens=1e30).ask.max_tokens == 2**53


def test_an_image_is_known_by_its_digest_and_real_type() -> None:
    mislabelled = PNG_URL.replace("image/png", "image/jpeg")
    chat = parse(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": mislabelled}}]}])

    digest = hashlib.sha256(PNG).hexdigest()
    assert chat.ask.messages[0].images == (digest,)
    assert chat.pictures == {digest: Image("image/png", base64.b64encode(PNG).decode())}


def image(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": " "}, "model"),
        ({"model": 3}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [USER] * 10_001}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": 5, "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages.0.content.0"),
        ({"messages": image("ftp://example.invalid/a.png")}, "messages.0.content.0"),
        ({"messages": image("data:image/png,plain")}, "messages.0.content.0"),
        ({"messages": image("data:image/png;base64,***")}, "messages.0.content.0"),
        ({"messages": image("data:image/bmp;base64,Qk0AAAAA")}, "messages.0.content.0"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "include_usage"),
        ({"conversation_id": 5}, "conversation_id"),
        ({"web_search": "on"}, "web_search"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"functions": [{"name": ""}], "function_call": "auto"}, "functions[0].name"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        ({"response_format": "text"}, "response_format"),
        ({"n": 5}, "n"),
        ({"n": 0}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": 2, "conversation_id": "conv_1"}, "n"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": "none", "tools": None}, "tool_choice"),
        ({"tool_choice": "required", "tools": []}, "tool_choice"),
        ({"function_call": "auto"}, "function_call"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, "modalities"),
        ({"modalities": "text"}, "modalities"),
        ({"modalities": [["text"]]}, "modalities"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 42}, "top_p"),
        ({"top_p": []}, "top_p"),
        ({"presence_penalty": 2.5}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"frequency_penalty": "0"}, "frequency_penalty"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "7"}, "seed"),
        ({"logprobs": 1}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 1.5}, "top_logprobs"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"logit_bias": {"1": "x"}}, "logit_bias"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"verbosity": 1}, "verbosity"),
        ({"audio": "alloy"}, "audio"),
    ],
)
def test_what_makes_no_sense_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", [0, -1, -1.0])
def test_no_tokens_and_one_less_mean_not_set(name: str, value: float) -> None:
    """Settings windows have 0 for «no limit», and LangChain and others send -1."""
    assert parse(**{name: value}).ask.max_tokens is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b'{"a":"\xff"}', b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ServiceError) as exc_info:
        parse_json(body)

    assert exc_info.value.status == 400


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"temperature": 2, "top_p": 0, "seed": -(2**60)}, ("temperature", "top_p", "seed")),
        ({"presence_penalty": -2.0, "frequency_penalty": 2}, ("presence_penalty", "frequency_penalty")),
        ({"logprobs": False, "top_logprobs": 20.0}, ("logprobs", "top_logprobs")),
        ({"logit_bias": {"50256": -100, "1": 0.5}}, ("logit_bias",)),
        ({"reasoning_effort": "xhigh", "verbosity": "low"}, ("reasoning_effort", "verbosity")),
        ({"reasoning_effort": "default", "verbosity": "max"}, ("reasoning_effort", "verbosity")),  # Groq, OpenRouter
        ({"reasoning_effort": "ultra"}, ("reasoning_effort",)),  # Codex
        ({"audio": {"voice": "alloy"}, "modalities": ["text"]}, ("audio",)),
        ({"tools": [], "tool_choice": "auto"}, ()),
        ({"tool_choice": None, "temperature": None}, ()),
    ],
)
def test_what_the_site_cannot_take_is_named(fields: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert tuple(parse(**fields).ask.parameters) == ignored


def test_what_an_earlier_model_thought_is_left_out() -> None:
    """Clients that changed their model send the thoughts of the one before along."""
    thoughts = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "reasoning", "text": "hm"},
    ]
    answered = {"role": "assistant", "content": [*thoughts, {"type": "text", "text": "yes"}]}
    only = {"role": "assistant", "content": thoughts}

    chat = parse(messages=[USER, answered, only, USER])

    assert [message.text for message in chat.ask.messages] == ["hi", "yes", "", "hi"]


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    body = parse_json(b'{"model":"m\\udc00","text":"a\\ud83d b \\ud83d\\ude00","\\ud800":1}')

    assert body == {"model": "m\ufffd", "text": "a\ufffd b 😀", "\ufffd": 1}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_what_has_no_effect_here_is_taken() -> None:
    chat = parse(
        tools=[],
        tool_choice="none",
        response_format={"type": "text"},
        n=1,
        store=True,
        metadata={"a": "b"},
        user="ada",
        temperature=0.5,
        seed=7,
        unheard_of=[1],
    )

    assert chat.ask.parameters == {"temperature": 0.5, "seed": 7}


def test_stops_and_limits_are_read() -> None:
    assert (parse(stop="END").ask.stops, parse(stop=None).ask.stops) == (("END",), ())
    assert parse(stop=["a", "", "b"]).ask.stops == ("a", "b")
    for limit, least in ((9, 7), (0, 7), (-1, 7)):
        assert parse(max_tokens=limit, max_completion_tokens=7).ask.max_tokens == least
