"""Streams, items and stored responses with calls are as `/openapi.json` says; fuzzing looks at whole answers only."""

import json
from typing import Any

import jsonschema_rs
import pytest

from proxy.api.openapi.document import document
from tests.proxy.api.tools.test_stream import BEIJING, FLAT, FORMAT, PARIS, TOOLS, WEATHER, play_stream, stream_response
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

DOCUMENT = document("1", needs_key=False)
CUSTOM = {"name": "apply_patch", "description": "Patch a file."}
PATCH = ["apply_patch", {"input": "+new"}]


def validator(name: str) -> jsonschema_rs.Validator:
    """A validator of the named schema."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def invalid_values(name: str, values: list[Any]) -> list[str]:
    """Those of *values* that do not match the schema."""
    schema = validator(name)
    return [json.dumps(value) for value in values if not schema.is_valid(value)]


@pytest.mark.parametrize("offer", [TOOLS, [*TOOLS, {"type": "custom", "custom": CUSTOM}], None])
async def test_each_chunk_of_a_chat(offer: Any, proxy: RunningProxy, site: SimulatedSite) -> None:
    old = {"tools": None, "functions": [WEATHER]} if offer is None else {"tools": offer}
    step = {"text": "I look.", "calls": [PARIS, BEIJING] + ([PATCH] if offer and len(offer) > 1 else [])}
    answer = await play_stream(proxy, site, step, stream_options={"include_usage": True}, **old)
    whole = await play_stream(proxy, site, step, stream=False, **old)

    assert invalid_values("ChatCompletionChunk", answer.data) == []
    assert "Paris" in answer.body.decode()
    assert invalid_values("ChatCompletion", [json.loads(whole.body)]) == []


async def test_each_event_of_a_response_and_what_is_stored_of_it(proxy: RunningProxy, site: SimulatedSite) -> None:
    step = {"text": "I look.", "calls": [PARIS, PATCH]}
    answer = await stream_response(proxy, site, step, tools=[*FLAT, {"type": "custom", **CUSTOM}])
    done = answer.data[-1]["response"]
    stored = await exchange(proxy.url, "GET", f"/v1/responses/{done['id']}")

    assert [item["type"] for item in done["output"]] == ["message", "function_call", "custom_tool_call"]
    assert invalid_values("ResponseEvent", answer.data) == []
    assert invalid_values("Response", [json.loads(stored.body)]) == []


async def test_each_item_of_a_conversation(proxy: RunningProxy, site: SimulatedSite) -> None:
    created = json.loads((await exchange(proxy.url, "POST", "/v1/conversations", {})).body)["id"]
    site.behaviour.scripts = {"it": [{"text": "I look.", "calls": [PARIS]}]}
    turn: dict[str, Any] = {"model": "gpt-4o-mini-helper", "conversation": created, "tools": FLAT}
    first = await exchange(proxy.url, "POST", "/v1/responses", {**turn, "input": "[[script:it]]"})
    call = json.loads(first.body)["output"][-1]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    await exchange(proxy.url, "POST", "/v1/responses", {**turn, "input": [result]})
    page = json.loads((await exchange(proxy.url, "GET", f"/v1/conversations/{created}/items?order=asc")).body)

    kinds = [item["type"] for item in page["data"]]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message"]
    assert invalid_values("ItemList", [page]) == []


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
    assert invalid_values("ChatCompletionRequest", [{**chat, **wish} for wish in wishes]) == []
    assert invalid_values("ChatCompletionRequest", [{**chat, "tools": [{"type": "function"}]}]) != []
    assert invalid_values("ChatCompletionRequest", [{**chat, "tool_choice": "sometimes"}]) != []
