"""Asking in the shape of Anthropic's Messages API, byte by byte."""

import json
from typing import Any

from tests.proxy.running import RunningProxy
from tests.proxy.wire import Wired, exchange
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
    """A message of the user: a text, or blocks."""
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(*content: Any) -> dict[str, Any]:
    """The same of the assistant."""
    return {**user(*content), "role": "assistant"}


async def asked(proxy: RunningProxy, *messages: Any, **fields: Any) -> Wired:
    """The answer to *messages*, whatever it is."""
    sent = [user(message) if isinstance(message, str) else message for message in messages]
    return await exchange(proxy.url, "POST", PATH, {"model": MODEL, "max_tokens": 1000, "messages": sent, **fields})


async def played(proxy: RunningProxy, site: SimulatedSite, *steps: Any, words: str = "", **fields: Any) -> Wired:
    """The answer for which the model plays *steps*."""
    site.behaviour.scripts = {"it": list(steps)}
    return await asked(proxy, f"[[script:it]] {words}", **fields)


def message(answer: Wired) -> dict[str, Any]:
    """The message of an answer that is whole."""
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def error(answer: Wired) -> dict[str, Any]:
    """The error of an answer that is none, whose shape is checked."""
    told: dict[str, Any] = json.loads(answer.body)
    assert told["type"] == "error"
    assert told["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    found: dict[str, Any] = told["error"]
    assert found["message"]
    return found


def kinds(answer: Wired) -> list[str]:
    """The types of a stream's events, those that repeat told once."""
    found = [event["type"] for event in answer.data]
    return [kind for number, kind in enumerate(found) if number == 0 or found[number - 1] != kind]


def text_of(answer: Wired) -> str:
    """The text of a stream."""
    deltas = [event["delta"] for event in answer.data if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas if delta["type"] == "text_delta")


def last(answer: Wired) -> dict[str, Any]:
    """The `message_delta` of a stream."""
    (found,) = [event for event in answer.data if event["type"] == "message_delta"]
    return dict(found)
