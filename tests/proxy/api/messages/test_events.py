"""Streams: which events come in which order, as Anthropic's documentation shows them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import proxy.api.event_stream
from tests.proxy.api.messages.messages_client import BEIJING, PARIS, TOOL, error, kinds, last, play, send, text_of
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

TEXT_ONLY = [
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop"),
]
ECHO = '你好,世界! 😀👨‍👩‍👧 café "quoted" \\ back/slash'
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
COUNTS = {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"}


async def test_a_text_comes_in_one_block(proxy: RunningProxy) -> None:
    answer = await send(proxy, "hi", stream=True)

    assert kinds(answer) == TEXT_ONLY
    assert [event.partition("\n")[0] for event in answer.events] == [f"event: {each['type']}" for each in answer.data]
    start = answer.data[0]["message"]
    assert re.fullmatch(r"msg_\w{24,}", start["id"])
    assert (start["type"], start["role"], start["content"]) == ("message", "assistant", [])
    assert (start["stop_reason"], start["stop_sequence"]) == (None, None)
    assert start["usage"].keys() >= COUNTS
    assert start["usage"]["input_tokens"] > 0
    assert answer.data[1] == {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": "", "citations": []},
    }
    assert ECHO in text_of(answer)
    assert last(answer)["delta"] | {"stop_reason": "end_turn", "stop_sequence": None} == last(answer)["delta"]
    assert last(answer)["usage"].keys() >= COUNTS
    assert last(answer)["usage"]["output_tokens"] > 10


async def test_a_call_is_a_block_of_its_own_whose_input_comes_as_json(proxy: RunningProxy, site: SimulatedSite) -> None:
    step = {"text": "Let me look.", "calls": [PARIS, BEIJING]}
    answer = await play(proxy, site, step, tools=[TOOL], stream=True)

    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert kinds(answer) == ["message_start", *block * 3, "message_delta", "message_stop"]
    starts = [event for event in answer.data if event["type"] == "content_block_start"]
    assert [event["index"] for event in starts] == [0, 1, 2]
    for number, (_, arguments) in enumerate((PARIS, BEIJING), 1):
        tool = starts[number]["content_block"]
        assert (tool["type"], tool["name"], tool["input"]) == ("tool_use", "get_weather", {})
        assert re.fullmatch(r"toolu_\w{24}", tool["id"])
        deltas = [event["delta"] for event in answer.data if event.get("index") == number and "delta" in event]
        assert {delta["type"] for delta in deltas} == {"input_json_delta"}
        assert deltas[0]["partial_json"] == ""
        assert json.loads("".join(delta["partial_json"] for delta in deltas)) == arguments
    assert len({event["content_block"]["id"] for event in starts[1:]}) == 2
    assert last(answer)["delta"]["stop_reason"] == "tool_use"
    assert text_of(answer) == "Let me look."


async def test_a_call_alone_is_the_first_block(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await play(proxy, site, {"calls": [PARIS]}, tools=[TOOL], stream=True)

    starts = [event for event in answer.data if event["type"] == "content_block_start"]
    assert [(event["index"], event["content_block"]["type"]) for event in starts] == [(0, "tool_use")]


async def test_what_the_sites_search_found_is_cited_at_the_end_of_the_text(proxy: RunningProxy) -> None:
    answer = await send(proxy, "search it", model="web-search-bot", tools=[SEARCH], stream=True)

    deltas = [event["delta"] for event in answer.data if event["type"] == "content_block_delta"]
    cited = [delta["citation"] for delta in deltas if delta["type"] == "citations_delta"]
    assert deltas[-len(cited) :] == [{"type": "citations_delta", "citation": each} for each in cited]
    assert [each["title"] for each in cited] == ["Example A", "例子 B"]
    assert {each["type"] for each in cited} == {"web_search_result_location"}
    assert kinds(answer) == TEXT_ONLY
    assert last(answer)["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert "websearch=1" in text_of(answer)


@pytest.mark.parametrize("keepalive", ["comment", "chunk", "off"])
async def test_pings_fill_silences(
    keepalive: str, site: SimulatedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy.api.event_stream, "HOLD_SECONDS", 0.1)
    monkeypatch.setattr(proxy.api.event_stream, "SILENCE_SECONDS", 0.1)
    site.behaviour.first_delta_delay = 0.7
    async with running_proxy(site, tmp_path, keepalive=keepalive) as running:
        answer = await send(running, "hi", stream=True)

    pings = [event for event in answer.data if event["type"] == "ping"]
    assert pings == [{"type": "ping"}] * len(pings)
    assert (len(pings) >= 3) == (keepalive != "off")
    assert kinds(answer)[0] == "message_start"
    assert [kind for kind in kinds(answer) if kind != "ping"] == TEXT_ONLY
    assert b": keep-alive" not in answer.body


@pytest.mark.parametrize("mode", ["late_error", "cut"])
async def test_a_failure_after_text_is_an_error_event_and_the_end(mode: str, proxy: RunningProxy) -> None:
    answer = await send(proxy, f"[[mode:{mode}]] hi", stream=True)

    assert answer.status == 200
    assert kinds(answer) == ["message_start", "content_block_start", "content_block_delta", "error"]
    event = answer.data[-1]
    assert event["error"]["type"] == "api_error"
    assert event["request_id"] == answer.headers["request-id"]
    assert answer.events[-1].startswith("event: error\n")


async def test_a_failure_before_text_has_a_status(proxy: RunningProxy) -> None:
    answer = await send(proxy, "[[mode:err500]] hi", stream=True)

    assert answer.status == 500
    assert error(answer)["type"] == "api_error"


ENDS: list[tuple[dict[str, Any], str, str, str | None]] = [
    ({"max_tokens": 5}, "hi", "max_tokens", None),
    ({"stop_sequences": ["word9", "word5"]}, "[[tokens:20]]", "stop_sequence", "word5"),
    ({"stop_sequences": ["nowhere"]}, "[[tokens:20]]", "end_turn", None),
    ({}, "[[mode:incomplete]] hi", "max_tokens", None),
    ({}, "[[mode:refusal]] hi", "refusal", None),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("end", ENDS)
async def test_stop_reason_and_stop_sequence_are_reported(
    stream: bool, end: tuple[dict[str, Any], str, str, str | None], proxy: RunningProxy
) -> None:
    fields, prompt, reason, stop = end
    answer = await send(proxy, prompt, stream=stream, **fields)

    body = last(answer)["delta"] if stream else json.loads(answer.body)
    assert (body["stop_reason"], body["stop_sequence"]) == (reason, stop)
    text = text_of(answer) if stream else "".join(each["text"] for each in body["content"])
    assert text
    assert "word5" not in text or stop is None


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_in_place_of_json_is_no_text(stream: bool, proxy: RunningProxy) -> None:
    output_format = {"type": "json_schema", "schema": {"type": "object"}}
    answer = await send(proxy, "[[mode:refusal]] hi", stream=stream, output_config={"format": output_format})

    body = last(answer)["delta"] if stream else json.loads(answer.body)
    assert (body["stop_reason"], bool(body["stop_details"]["explanation"])) == ("refusal", True)
    assert ("content_block_start" not in kinds(answer)) if stream else body["content"] == []


async def test_a_stop_sequence_ends_the_text_beside_tools(proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await play(proxy, site, {"text": "One, two, three."}, tools=[TOOL], stop_sequences=["three"], stream=True)

    assert text_of(answer) == "One, two, "
    assert last(answer)["delta"] == {**last(answer)["delta"], "stop_reason": "stop_sequence", "stop_sequence": "three"}
