"""Streams, items and stored responses with calls are as `/openapi.json` says; fuzzing looks at whole answers only."""

import json
from typing import Any

import jsonschema_rs
import pytest

from proxy.api.openapi import document
from tests.proxy.api.test_tools_stream import BEIJING, FLAT, FORMAT, PARIS, TOOLS, WEATHER, asked, responded
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

DOCUMENT = document("1", needs_key=False)
CUSTOM = {"name": "apply_patch", "description": "Patch a file."}
PATCH = ["apply_patch", {"input": "+new"}]


def validator(name: str) -> jsonschema_rs.Validator:
    """What checks a value by the schema of that name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def wrong(name: str, values: list[Any]) -> list[str]:
    """Those of *values* that are otherwise than described."""
    schema = validator(name)
    return [json.dumps(value) for value in values if not schema.is_valid(value)]


@pytest.mark.parametrize("offer", [TOOLS, [*TOOLS, {"type": "custom", "custom": CUSTOM}], None])
async def test_each_chunk_of_a_chat(offer: Any, proxy: RunningProxy, site: SimulatedSite) -> None:
    old = {"tools": None, "functions": [WEATHER]} if offer is None else {"tools": offer}
    step = {"text": "I look.", "calls": [PARIS, BEIJING] + ([PATCH] if offer and len(offer) > 1 else [])}
    answer = await asked(proxy, site, step, stream_options={"include_usage": True}, **old)
    whole = await asked(proxy, site, step, stream=False, **old)

    assert wrong("ChatCompletionChunk", answer.data) == []
    assert "Paris" in answer.body.decode()
    assert wrong("ChatCompletion", [json.loads(whole.body)]) == []


async def test_each_event_of_a_response_and_what_is_stored_of_it(proxy: RunningProxy, site: SimulatedSite) -> None:
    step = {"text": "I look.", "calls": [PARIS, PATCH]}
    answer = await responded(proxy, site, step, tools=[*FLAT, {"type": "custom", **CUSTOM}])
    done = answer.data[-1]["response"]
    stored = await exchange(proxy.url, "GET", f"/v1/responses/{done['id']}")

    assert [item["type"] for item in done["output"]] == ["message", "function_call", "custom_tool_call"]
    assert wrong("ResponseEvent", answer.data) == []
    assert wrong("Response", [json.loads(stored.body)]) == []


async def test_each_item_of_a_conversation(proxy: RunningProxy, site: SimulatedSite) -> None:
    made = json.loads((await exchange(proxy.url, "POST", "/v1/conversations", {})).body)["id"]
    site.behaviour.scripts = {"it": [{"text": "I look.", "calls": [PARIS]}]}
    turn: dict[str, Any] = {"model": "gpt-4o-mini-helper", "conversation": made, "tools": FLAT}
    first = await exchange(proxy.url, "POST", "/v1/responses", {**turn, "input": "[[script:it]]"})
    call = json.loads(first.body)["output"][-1]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    await exchange(proxy.url, "POST", "/v1/responses", {**turn, "input": [result]})
    page = json.loads((await exchange(proxy.url, "GET", f"/v1/conversations/{made}/items?order=asc")).body)

    kinds = [item["type"] for item in page["data"]]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message"]
    assert wrong("ItemList", [page]) == []


def test_what_clients_send_is_described() -> None:
    chat = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": TOOLS, "response_format": FORMAT}
    wishes: list[dict[str, Any]] = [
        {"tool_choice": "required", "parallel_tool_calls": False},
        {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_weather"}}]},
            }
        },
        {"tools": None, "functions": [WEATHER], "function_call": {"name": "get_weather"}},
        {"response_format": {"type": "json_object"}},
    ]
    assert wrong("ChatCompletionRequest", [{**chat, **wish} for wish in wishes]) == []
    assert wrong("ChatCompletionRequest", [{**chat, "tools": [{"type": "function"}]}]) != []
    assert wrong("ChatCompletionRequest", [{**chat, "tool_choice": "sometimes"}]) != []
