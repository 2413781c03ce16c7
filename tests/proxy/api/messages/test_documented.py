"""Each example of a stream in Anthropic's documentation has its shape here: which events come in which order, and at
least the keys that each shows. Whole messages have the same blocks.

What is documented and cannot occur here, since no site gives it:

- `thinking`, `thinking_delta`, `signature_delta`, `redacted_thinking` (extended thinking): no site shows thoughts. The
  rest of that example comes without them.
- `server_tool_use` and the `…_tool_result` blocks of web search, web fetch, code execution, tool search and MCP, and
  `pause_turn`: a site searches before it answers, and tells the pages alone, which are cited at the end of the text.
- `char_location`, `page_location`, `content_block_location`, `search_result_location` (citations): a site names pages,
  never places in what the client sent.
- `compaction` blocks with `compaction_delta`, and `context_management` in `message_delta`: no history is changed here;
  the field is left out and named.
- A cut `input_json_delta` (fine-grained tool streaming): a call is given when it is whole and fits its schema.

Pings, which may come anywhere, are in `test_events.py`, the statuses of errors in `test_errors.py`.
"""

import json
from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.proxy.api.messages.messages_client import MODEL, PARIS, PATH, TOOL, assistant, message, text_of, user
from tests.proxy.running import RunningProxy
from tests.proxy.wire import WireResponse, exchange
from tests.site import SimulatedSite

ANY: Any = object()  # whatever stands there
HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "fine-grained-tool-streaming-2025-05-14"}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
FORM = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"name": {"type": "string"}}}}}
CITY = {"city": "San Francisco, CA"}

USED = {"input_tokens": ANY, "output_tokens": ANY}
CACHED = {"cache_creation_input_tokens": ANY, "cache_read_input_tokens": ANY}
MESSAGE = {
    "id": ANY,
    "type": "message",
    "role": "assistant",
    "model": ANY,
    "content": ANY,
    "stop_reason": ANY,
    "stop_sequence": ANY,
    "stop_details": ANY,
    "container": None,
    "diagnostics": None,
    "usage": {
        **USED,
        **CACHED,
        "service_tier": "standard",
        "inference_geo": None,
        "server_tool_use": ANY,
        "speed": None,
        "output_tokens_details": {"thinking_tokens": 0},
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    },
}
BEGUN = {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "stop_sequence": None}}
CITED = {
    "type": "web_search_result_location",
    "url": ANY,
    "title": ANY,
    "encrypted_index": ANY,
    "cited_text": ANY,
}
REFUSED = {"type": "refusal", "category": None, "explanation": ANY}


def block(index: int, start: Any, *deltas: Any) -> list[Any]:
    """The events of one content block."""
    at = {"index": index}
    return [
        {"type": "content_block_start", **at, "content_block": start},
        *({"type": "content_block_delta", **at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", **at},
    ]


def text(index: int, *more: Any) -> list[Any]:
    """A block of text."""
    start = {"type": "text", "text": "", "citations": []}
    return block(index, start, {"type": "text_delta", "text": ANY}, *more)


def tool(index: int) -> list[Any]:
    """A block of one call."""
    start = {"type": "tool_use", "id": ANY, "name": "get_weather", "input": {}, "caller": {"type": "direct"}}
    return block(index, start, {"type": "input_json_delta", "partial_json": ANY})


def ended(reason: str, *, stop: str | None = None, details: Any = None, **usage: Any) -> list[Any]:
    """The last two events."""
    delta = {"stop_reason": reason, "stop_sequence": stop, "stop_details": details, "container": None}
    return [{"type": "message_delta", "delta": delta, "usage": {**USED, **CACHED, **usage}}, {"type": "message_stop"}]


class Example(NamedTuple):
    """A documented stream: its events, repeated kinds once, and the request for it."""

    events: list[Any]
    fields: Mapping[str, Any] = MappingProxyType({})
    words: str = "Hello"
    step: dict[str, Any] | None = None  # of a model that follows a script
    prefill: str = ""


WEATHER = {"text": "Okay, let's check the weather for San Francisco, CA:", "calls": [["get_weather", CITY]]}
POEM = {"calls": [["get_weather", {"city": "a long poem " * 40}]]}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 16000}}
EXAMPLES = {
    "basic": Example([*text(0), *ended("end_turn")]),
    "tool use": Example([*text(0), *tool(1), *ended("tool_use")], {"tools": [TOOL]}, step=WEATHER),
    "tool use, any": Example(
        [*tool(0), *ended("tool_use")],
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        step={"calls": [PARIS], "forced": True},
    ),
    "parallel tool use": Example(
        [*text(0), *tool(1), *tool(2), *ended("tool_use")],
        {"tools": [TOOL]},
        step={"text": "Both:", "calls": [PARIS, ["get_weather", CITY]]},
    ),
    "extended thinking": Example([*text(0), *ended("end_turn")], THINKING),
    "web search and its citations": Example(
        [
            *text(0, {"type": "citations_delta", "citation": CITED}),
            *ended("end_turn", server_tool_use={"web_search_requests": 1, "web_fetch_requests": 0}),
        ],
        {"tools": [SEARCH], "model": "web-search-bot"},
    ),
    "fine-grained tool streaming": Example(
        [*tool(0), *ended("tool_use")], {"tools": [{**TOOL, "eager_input_streaming": True}]}, step=POEM
    ),
    "fine-grained tool streaming, cut": Example(
        ended("max_tokens"), {"tools": [{**TOOL, "eager_input_streaming": True}], "max_tokens": 8}, step=POEM
    ),
    "structured output": Example(
        [*text(0), *ended("end_turn")], {"output_config": FORM}, step={"json": {"name": "John Smith"}}
    ),
    "prefill": Example([*text(0), *ended("end_turn")], prefill="The answer is ("),
    "max_tokens": Example([*text(0), *ended("max_tokens")], {"max_tokens": 5}),
    "stop_sequence": Example(
        [*text(0), *ended("stop_sequence", stop="word5")], {"stop_sequences": ["word5"]}, "[[tokens:20]]"
    ),
    "refusal": Example([*text(0), *ended("refusal", details=REFUSED)], words="[[mode:refusal]] Hello"),
    "context editing": Example([*text(0), *ended("end_turn")], {"context_management": {"edits": []}}),
}
examples = pytest.mark.parametrize("name", EXAMPLES)


async def send_example(proxy: RunningProxy, site: SimulatedSite, name: str, *, stream: bool) -> WireResponse:
    """Send the request of an example."""
    example = EXAMPLES[name]
    site.behaviour.scripts = {"it": [example.step]} if example.step else {}
    messages = [user(f"{example.words} [[script:it]]" if example.step else example.words)]
    messages += [assistant(example.prefill)] if example.prefill else []
    body = {"model": MODEL, "max_tokens": 20000, "messages": messages, "stream": stream, **example.fields}
    return await exchange(proxy.url, "POST", f"{PATH}?beta=true", body, HEADERS)


def fits(actual: Any, documented: Any) -> bool:
    """Whether *actual* has all that is *documented*; it may have more."""
    if isinstance(documented, dict) and isinstance(actual, dict):
        return all(name in actual and fits(actual[name], value) for name, value in documented.items())
    return documented is ANY or bool(actual == documented)


def kind(event: Any) -> tuple[Any, ...]:
    """The key that separates one step of a stream from the next."""
    inner = event.get("content_block") or event.get("delta") or {}
    return event["type"], event.get("index"), inner.get("type")


@examples
async def test_a_stream_is_as_documented(name: str, proxy: RunningProxy, site: SimulatedSite) -> None:
    answer = await send_example(proxy, site, name, stream=True)

    assert answer.status == 200, answer.body
    assert [event.partition("\n")[0] for event in answer.events] == [f"event: {each['type']}" for each in answer.data]
    came = [list(events) for _, events in groupby((each for each in answer.data if each["type"] != "ping"), kind)]
    documented = [BEGUN, *EXAMPLES[name].events]
    assert [kind(events[0]) for events in came] == [kind(event) for event in documented]
    for events, event in zip(came, documented, strict=True):
        assert [each for each in events if not fits(each, event)] == [], event


@examples
async def test_a_whole_message_has_the_same_blocks_and_end(name: str, proxy: RunningProxy, site: SimulatedSite) -> None:
    reply = message(await send_example(proxy, site, name, stream=False))

    events = EXAMPLES[name].events
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    last = events[-2]
    assert fits(reply, {**MESSAGE, **last["delta"]})
    assert fits(reply["usage"], last["usage"])
    assert [each["type"] for each in reply["content"]] == [each["type"] for each in starts]
    for each, documented in zip(reply["content"], starts, strict=True):
        assert fits(each, {**documented, **dict.fromkeys(("text", "input", "citations") & documented.keys(), ANY)})


async def test_an_error_in_a_stream_is_as_documented(proxy: RunningProxy) -> None:
    body = {"model": MODEL, "max_tokens": 100, "messages": [user("[[mode:late_error]] Hello")], "stream": True}
    answer = await exchange(proxy.url, "POST", PATH, body, HEADERS)

    error = {"type": "error", "error": {"type": "api_error", "message": ANY}, "request_id": ANY}
    assert text_of(answer)
    assert fits(answer.data[-1], error)
    assert answer.events[-1].startswith("event: error\n")


async def test_tokens_are_counted_as_documented(proxy: RunningProxy) -> None:
    body = {"model": MODEL, "system": "You are a scientist", "messages": [user("Hello, Claude")], "tools": [TOOL]}
    answer = await exchange(proxy.url, "POST", f"{PATH}/count_tokens", body, HEADERS)

    assert (answer.status, list(json.loads(answer.body))) == (200, ["input_tokens"])
    assert isinstance(json.loads(answer.body)["input_tokens"], int)
