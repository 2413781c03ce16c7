"""Requests and answers of Anthropic's Messages API, byte by byte."""

import json
from typing import Any

from tests.proxy.running import RunningProxy
from tests.proxy.wire import WireResponse, exchange
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
PATH = "/v1/messages"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "get_weather", "description": "Tell the weather.", "input_schema": PARAMETERS}
PARIS = ["get_weather", {"city": "Paris"}]
BEIJING = ["get_weather", {"city": "北京"}]


def block(kind: str, **fields: Any) -> dict[str, Any]:
    """A content block."""
    return {"type": kind, **fields}


def text(words: str) -> dict[str, Any]:
    """A text block."""
    return block("text", text=words)


def user(*content: Any) -> dict[str, Any]:
    """A user message: a text, or blocks."""
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    """An assistant message: a text, or blocks."""
    return {**user(*content), "role": "assistant"}


async def send(proxy: RunningProxy, *messages: Any, **fields: Any) -> WireResponse:
    """Send *messages* and return the answer, whatever it is."""
    sent = [user(message) if isinstance(message, str) else message for message in messages]
    return await exchange(proxy.url, "POST", PATH, {"model": MODEL, "max_tokens": 1000, "messages": sent, **fields})


async def play(proxy: RunningProxy, site: SimulatedSite, *steps: Any, words: str = "", **fields: Any) -> WireResponse:
    """Send a request for which the model plays *steps*."""
    site.behaviour.scripts = {"it": list(steps)}
    return await send(proxy, f"[[script:it]] {words}", **fields)


def message(answer: WireResponse) -> dict[str, Any]:
    """The message of an answer that did not stream."""
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def error(answer: WireResponse) -> dict[str, Any]:
    """The error of an answer, after a check of its shape."""
    body: dict[str, Any] = json.loads(answer.body)
    assert body["type"] == "error"
    assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    found: dict[str, Any] = body["error"]
    assert found["message"]
    return found


def kinds(answer: WireResponse) -> list[str]:
    """Types of a stream's events, repeated ones once."""
    found = [event["type"] for event in answer.data]
    return [kind for number, kind in enumerate(found) if number == 0 or found[number - 1] != kind]


def text_of(answer: WireResponse) -> str:
    """The text of a stream."""
    deltas = [event["delta"] for event in answer.data if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")


def last(answer: WireResponse) -> dict[str, Any]:
    """The `message_delta` of a stream."""
    (found,) = [event for event in answer.data if event["type"] == "message_delta"]
    return dict(found)
