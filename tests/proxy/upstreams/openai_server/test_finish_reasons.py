"""Finish reasons of servers in their own words, and calls whose deltas have ids of their own."""

import json
from typing import Any

import pytest

from proxy.chat.tools.definitions import Tool, ToolConfig
from proxy.chat.upstream import Refusal
from proxy.upstreams.openai_server.reader import ChunkReader
from tests.openai_server import OpenAiPeer
from tests.proxy.api.messages.messages_client import message
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import messaged
from tests.proxy.upstreams.openai_server.chunks import feed, piece, reader


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("content_filter: RECITATION", "content_filter"),  # Google's
        ("sensitive", "content_filter"),  # Z.ai's
        ("model_context_window_exceeded", "length"),
        ("model_length", "length"),  # Mistral's
        ("eos", "stop"),
    ],
)
def test_finish_reasons_are_openais(word: str, reason: str) -> None:
    reading = reader()
    feed(reading, {"content": "so"}, reason=word)

    assert reading.is_whole
    assert reading.end().reason == reason


@pytest.mark.parametrize(
    ("told", "reason", "stop"),
    [
        ({"stop_reason": "END"}, "stop_sequence", "END"),  # vLLM's
        ({"matched_stop": "END"}, "stop_sequence", "END"),  # SGLang's
        ({"matched_stop": "<|im_end|>"}, "end_turn", None),
        ({"stop_reason": 128009}, "end_turn", None),  # a token's number
        ({"stop_reason": None}, "end_turn", None),
    ],
)
async def test_the_stop_sequence_that_a_server_met_is_told(
    gateway: RunningProxy, server: OpenAiPeer, told: Any, reason: str, stop: str | None
) -> None:
    choices = [{"delta": {"content": "one"}}, {"delta": {}, "finish_reason": "stop", **told}]
    events = [f"data: {json.dumps({'choices': [{'index': 0, **choice}]})}\n\n" for choice in choices]
    server.answers = ["".join(events).encode() + b"data: [DONE]\n\n"]

    whole = message(await messaged(gateway, stream=False, stop_sequences=["STOP", "END"]))
    events_told = (await messaged(gateway, stop_sequences=["STOP", "END"])).data
    delta = next(event["delta"] for event in events_told if event["type"] == "message_delta")

    assert server.received[0].body["stop"] == ["STOP", "END"]
    assert (whole["stop_reason"], whole["stop_sequence"]) == (reason, stop)
    assert (delta["stop_reason"], delta["stop_sequence"]) == (reason, stop)


def test_a_call_that_the_models_window_cut_is_never_given_out() -> None:
    reading = reader()
    feed(reading, piece('{"x"', index=0, id="a", name="look"), reason="model_length")

    assert not reading.calls


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),  # servers and gateways say with it that they are alive
        (b" ", ""),
        (b'{"choices":[{"index":0,"delta":{"content":"a\xff"}}]}', "a\ufffd"),
        (b'{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[{"logprob":-Infinity}]}}]}', "a"),
    ],
)
def test_invalid_json_in_a_chunk_breaks_no_answer(data: bytes, text: str) -> None:
    reading = reader()

    assert reading.read(data) == text
    assert not reading.finished


def test_a_chunk_that_was_cut_breaks_the_answer() -> None:
    with pytest.raises(Refusal, match="no JSON"):
        reader().read(b'{"choices":[{"delta":{"content":"a')


@pytest.mark.parametrize(
    "word", ["insufficient_system_resource", "function_call_filter: MALFORMED_FUNCTION_CALL", "network_error", "abort"]
)
def test_an_answer_that_its_server_gave_up_is_none(word: str) -> None:
    reading = reader()
    reading.read(json.dumps({"choices": [{"index": 0, "finish_reason": word}]}).encode())

    assert not reading.is_whole
    with pytest.raises(Refusal, match=word.partition(":")[0]):
        reading.end()


def test_pieces_of_one_call_may_each_have_an_id_of_their_own() -> None:
    reading = reader()
    first = piece("", index=0, id="a", name="look"), piece('{"x"', index=0, id="b"), piece(':{"y":1}}', index=0, id="c")
    feed(reading, *first, piece("", index=0, id="d"), piece("{}", index=1, id="e", name="hear"))

    calls = [(call.id, call.name, json.loads(call.arguments)) for call in reading.calls]
    assert calls == [("a", "look", {"x": {"y": 1}}), ("e", "hear", {})]


def test_calls_of_one_chunk_without_index_or_id_are_distinguished_by_their_places() -> None:
    reading = reader()
    starts = [{"function": {"name": name, "arguments": '{"x"'}} for name in ("look", "hear")]
    feed(
        reading,
        {"tool_calls": starts},
        {"tool_calls": [{"function": {"arguments": f":{number}}}"}} for number in (1, 2)]},
    )

    assert [(call.name, call.arguments) for call in reading.calls] == [("look", '{"x":1}'), ("hear", '{"x":2}')]


@pytest.mark.parametrize("nothing", ["", " ", "null"])
def test_arguments_of_a_tool_that_takes_none_are_an_object(nothing: str) -> None:
    reading = reader()
    feed(reading, piece(nothing, index=0, id="1", name="look"))

    assert [call.arguments for call in reading.calls] == ["{}"]


@pytest.mark.parametrize(
    ("arguments", "text"), [('{"input":""}', ""), ('{"input":5}', '{"input":5}'), ('["a"]', '["a"]'), ("a", "a")]
)
def test_what_is_no_text_of_a_custom_tool_is_given_as_it_is(arguments: str, text: str) -> None:
    reading = reader(ToolConfig((Tool("say", kind="custom"),)))
    feed(reading, piece(arguments, index=0, id="1", name="say"))

    assert [call.arguments for call in reading.calls] == [text]


def _deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    "error", [_deep(900), f'{{"message": {_deep(300)}}}', f'{{"code": {"9" * 30}, "type": "\\ud800"}}']
)
def test_an_error_of_whatever_is_one(error: str) -> None:
    with pytest.raises(Refusal, match="failed to answer"):
        reader().read(f'{{"error": {error}}}'.encode())


def test_arguments_of_any_type_are_forwarded_or_refused() -> None:
    chunk = '{"choices": [{"delta": {"tool_calls": [{"id": "\\ud800", "function": {"name": "f", "arguments": %s}}]}}]}'
    reading = reader()
    reading.read((chunk % f'{{"n": {"9" * 30}}}').encode())

    assert [call.arguments for call in reading.calls] == [f'{{"n":{"9" * 30}}}']
    with pytest.raises(Refusal, match="cannot be told"):
        reader().read((chunk % '{"n": NaN}').encode())


def test_log_probabilities_that_are_nested_too_deep_are_left_out() -> None:
    reading = ChunkReader("mine", None, lambda: "made_up", wants_extras=True, logprobs=True)
    choice = '{"delta": {"content": "x"}, "logprobs": {"content": [%s]}}'

    assert reading.read(f'{{"choices": [{choice % _deep(300)}]}}'.encode()) == "x"
    assert reading.extras is None
