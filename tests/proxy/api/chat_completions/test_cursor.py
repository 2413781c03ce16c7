"""Chats as Cursor's servers send them: in the shape of the API that they think the model has."""

import json
from typing import Any

import pytest

from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

PATH = "/v1/chat/completions"
MODEL = "gpt-5-nano"
PATCH = '*** Begin Patch\n*** Update File: a.py\n-"x"\n+"y"\n*** End Patch'
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch"}
APPLY = {"type": "custom", "name": "ApplyPatch", "format": GRAMMAR}
COMMAND = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
NESTED = {"type": "function", "function": {"name": "Shell", "parameters": COMMAND}}
FLAT = {"type": "function", "name": "Shell", "parameters": COMMAND}
BARE = {"name": "Shell", "description": "Run it.", "input_schema": COMMAND}
ASKED = {"role": "user", "content": "[[script:it]] Go."}
PATCHES = {"calls": [["ApplyPatch", {"input": PATCH}]]}
LISTS = {"calls": [["Shell", {"command": "ls"}]]}
SHAPES: dict[str, tuple[dict[str, Any], Any]] = {
    "a custom tool among nested ones": ({"messages": [ASKED], "tools": [NESTED, APPLY]}, PATCHES),
    "the body of a response": (
        {"input": [{**ASKED, "content": [{"type": "input_text", "text": ASKED["content"]}]}], "tools": [FLAT, APPLY]},
        PATCHES,
    ),
    "flat functions": ({"messages": [ASKED], "tools": [FLAT]}, LISTS),
    "tools of Anthropic's API": ({"messages": [ASKED], "tools": [BARE], "tool_choice": {"type": "any"}}, LISTS),
}


async def send_chat(proxy: RunningProxy, **body: Any) -> list[Any]:
    """Send a chat; return its response object, or the chunks of a stream."""
    answer = await exchange(proxy.url, "POST", PATH, {"model": MODEL, **body})
    assert answer.status == 200, answer.body
    return answer.data if body.get("stream") else [json.loads(answer.body)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stream", [False, True])
async def test_calls_are_a_chats_and_of_functions(
    shape: str, stream: bool, proxy: RunningProxy, site: SimulatedSite
) -> None:
    body, step = SHAPES[shape]
    site.behaviour.scripts = {"it": [step]}
    answer = await send_chat(proxy, **body, stream=stream, stream_options={"include_usage": True})
    deltas = [choice["delta" if stream else "message"] for each in answer for choice in each["choices"]]
    calls = [call for each in deltas for call in each.get("tool_calls", ())]

    assert (calls[0]["type"], calls[0]["id"][:5]) == ("function", "call_")
    assert calls[0]["function"]["name"] == step["calls"][0][0]
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert arguments == (PATCH if step is PATCHES else '{"command":"ls"}')
    assert answer[-1]["usage"]["total_tokens"] > 0


async def test_a_free_text_that_comes_back_as_a_functions_arguments_continues(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    body, step = SHAPES["a custom tool among nested ones"]
    site.behaviour.scripts = {"it": [step, {"text": "Done."}]}
    (first,) = [each["choices"][0]["message"] for each in await send_chat(proxy, **body)]
    result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": "ok"}
    history = [ASKED, {**first, "content": []}, result]
    (second,) = await send_chat(proxy, **{**body, "messages": history})

    assert second["choices"][0]["message"]["content"] == "Done."
    assert site.requests[-2].fields["message"] == "[result of ApplyPatch]\nok"


async def test_calls_and_results_told_as_anthropics_blocks_are_read(proxy: RunningProxy, site: SimulatedSite) -> None:
    pixel = "data:image/png;base64,iVBORw0KGgo="
    call = {"type": "tool_use", "id": "toolu_1", "name": "Shell", "input": {"command": "ls"}}
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a.py"}]},
        {"type": "image_url", "image_url": {"url": pixel}},
        {"type": "text", "text": "What is it?"},
    ]
    history: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}, {**ASKED, "content": "Look."}]
    history += [{"role": "assistant", "content": [{"type": "text", "text": "I look."}, call]}]
    await send_chat(proxy, messages=[*history, {"role": "user", "content": results}], tools=[BARE])

    (sent,) = [seen.fields["message"] for seen in site.requests if seen.action == "aipkit_cache_sse_message"]
    positions = [sent.find(text) for text in ("Be brief.", "I look.", '"command":"ls"', "[result of Shell]\na.py")]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert sent.endswith("What is it?")


@pytest.mark.parametrize(
    "fields",
    [
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": "hi", "previous_response_id": "resp_1"},
        {"input": "hi", "conversation": "conv_1"},
    ],
)
async def test_stored_responses_continue_in_other_apis(fields: dict[str, Any], proxy: RunningProxy) -> None:
    answer = await exchange(proxy.url, "POST", PATH, {"model": MODEL, **fields})

    assert answer.status == 400
    assert json.loads(answer.body)["error"]["param"] == "input"
