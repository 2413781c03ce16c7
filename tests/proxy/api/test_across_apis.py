"""A conversation with tools continues in another API: the site is sent only new messages."""

import json
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import pytest

from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

STATEFUL = "gpt-5-nano"  # its provider keeps the conversation
PROMPT = "x" * 5000
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "description": "Tell the weather."}
STEPS = [
    {"text": "I look.", "calls": [["get_weather", {"city": "北京"}]]},
    {"calls": [["get_weather", {"city": "Paris"}]], "form": "tool_call"},
]


class Answer(NamedTuple):
    """The text of an answer, and the ids and arguments of its calls."""

    text: str
    calls: list[tuple[str, Any]]


class Api(NamedTuple):
    """Request body of one API for a history of *answers*, and the parser of its answer."""

    path: str
    ask: Callable[[Sequence[Answer]], dict[str, Any]]
    read: Callable[[Any], Answer]


ASKED = "[[script:it]] Go."


def chat(answers: Sequence[Answer]) -> dict[str, Any]:
    """Messages with `tool_calls`, and the role `tool`."""
    messages: list[Any] = [{"role": "system", "content": PROMPT}, {"role": "user", "content": ASKED}]
    for text, calls in answers:
        tool_calls = [
            {"id": name, "type": "function", "function": {"name": "get_weather", "arguments": json.dumps(arguments)}}
            for name, arguments in calls
        ]
        messages.append({"role": "assistant", "content": text or None, "tool_calls": tool_calls})
        messages += [{"role": "tool", "tool_call_id": name, "content": arguments["city"]} for name, arguments in calls]
    return {"messages": messages, "tools": [{"type": "function", "function": {**WEATHER, "parameters": SCHEMA}}]}


def chat_answer(body: Any) -> Answer:
    """The message of the one choice."""
    message = body["choices"][0]["message"]
    calls = message.get("tool_calls") or ()
    return Answer(message["content"] or "", [(call["id"], json.loads(call["function"]["arguments"])) for call in calls])


def responses(answers: Sequence[Answer]) -> dict[str, Any]:
    """Items."""
    items: list[Any] = [{"role": "user", "content": ASKED}]
    for text, calls in answers:
        items += [{"role": "assistant", "content": [{"type": "output_text", "text": text}]}] if text else []
        items += [
            {"type": "function_call", "call_id": name, "name": "get_weather", "arguments": json.dumps(arguments)}
            for name, arguments in calls
        ]
        items += [
            {"type": "function_call_output", "call_id": name, "output": arguments["city"]} for name, arguments in calls
        ]
    return {"instructions": PROMPT, "input": items, "tools": [{"type": "function", **WEATHER, "parameters": SCHEMA}]}


def responded(body: Any) -> Answer:
    """Text and calls of the items."""
    texts = [part["text"] for item in body["output"] if item["type"] == "message" for part in item["content"]]
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    return Answer("".join(texts), [(call["call_id"], json.loads(call["arguments"])) for call in calls])


def messages(answers: Sequence[Answer]) -> dict[str, Any]:
    """Messages with blocks."""
    history: list[Any] = [{"role": "user", "content": ASKED}]
    for text, calls in answers:
        blocks: list[Any] = [{"type": "text", "text": text}] if text else []
        blocks += [
            {"type": "tool_use", "id": name, "name": "get_weather", "input": arguments} for name, arguments in calls
        ]
        results = [
            {"type": "tool_result", "tool_use_id": name, "content": arguments["city"]} for name, arguments in calls
        ]
        history += [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]
    return {"max_tokens": 1000, "system": PROMPT, "messages": history, "tools": [{**WEATHER, "input_schema": SCHEMA}]}


def message_answer(body: Any) -> Answer:
    """Text and calls of the blocks."""
    blocks = body["content"]
    calls = [(each["id"], each["input"]) for each in blocks if each["type"] == "tool_use"]
    return Answer("".join(each["text"] for each in blocks if each["type"] == "text"), calls)


APIS = (
    Api("/v1/chat/completions", chat, chat_answer),
    Api("/v1/responses", responses, responded),
    Api("/v1/messages", messages, message_answer),
)


@pytest.mark.parametrize("order", list(permutations(APIS)), ids=lambda order: " ".join(api.path for api in order))
async def test_each_api_continues_where_another_one_was(
    order: Sequence[Api], proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.scripts = {"it": STEPS}
    answers: list[Answer] = []
    for api in order:
        answer = await exchange(proxy.url, "POST", api.path, {"model": STATEFUL, **api.ask(answers)})
        assert answer.status == 200, answer.body
        answers.append(api.read(json.loads(answer.body)))

    assert [text for text, _ in answers] == ["I look.", "", "So: 北京; Paris."]
    sent = [seen.fields["message"] for seen in site.requests if seen.action == "aipkit_cache_sse_message"]
    assert sent[1:] == ["[result of get_weather]\n北京", "[result of get_weather]\nParis"]
    assert len(sent[0]) > len(PROMPT)
