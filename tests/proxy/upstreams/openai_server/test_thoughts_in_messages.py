"""A server's thoughts over the Messages API, streamed and whole."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.api.messages.messages_client import message
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import OURS, SITES, THINKING, messaged, sdk
from tests.site import SimulatedSite


@pytest.mark.parametrize("thinking", [{"type": "disabled"}, {"type": "adaptive", "display": "omitted"}, "no"])
async def test_messages_show_none_where_they_are_not_wanted(
    gateway: RunningProxy, server: OpenAiPeer, thinking: Any
) -> None:
    server.answers = [Answer(["one"], thoughts="hm")]

    whole = message(await messaged(gateway, thinking=thinking, stream=False))

    assert [block["type"] for block in whole["content"]] == ["text"]


async def test_messages_count_apart_what_was_cached(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one"])] * 2

    whole = message(await messaged(gateway, stream=False))
    events = (await messaged(gateway)).data

    (end,) = (event for event in events if event["type"] == "message_delta")
    for usage in (whole["usage"], end["usage"]):
        assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (6, 5, 7)


@pytest.mark.parametrize(
    ("thinking", "requested", "effort"),
    [
        ({"type": "enabled", "budget_tokens": 31_999}, None, "high"),
        ({"type": "enabled", "budget_tokens": 4095}, None, "medium"),
        ({"type": "enabled", "budget_tokens": 1024}, None, "low"),
        ({"type": "enabled", "budget_tokens": "many"}, None, None),
        ({"type": "disabled", "budget_tokens": 4096}, None, None),
        ({"type": "adaptive"}, None, None),
        ("no", None, None),
        ({"type": "adaptive"}, "low", "low"),
        ({"type": "enabled", "budget_tokens": 1024}, "max", "high"),
        ({"type": "disabled"}, "medium", None),
        (None, "xhigh", "high"),
    ],
)
async def test_reasoning_effort_is_mapped_to_the_servers_parameter(
    gateway: RunningProxy, server: OpenAiPeer, thinking: Any, requested: str | None, effort: str | None
) -> None:
    answer = await messaged(gateway, thinking=thinking, output_config={"effort": requested})

    assert server.received[0].body.get("reasoning_effort") == effort
    assert {"thinking", "output_config"}.isdisjoint(server.received[0].body)
    assert "x-ignored-params" not in answer.headers


@pytest.mark.parametrize(
    "complaint",
    [
        '"tiny" does not support thinking',  # Ollama
        'think value "low" is not supported for this model',  # the same
        "Model tiny does not support parameter reasoningEffort.",  # xAI
        "Unsupported parameter: 'reasoning_effort' is not supported with this model.",  # OpenAI
    ],
)
async def test_a_model_that_does_not_think_answers_without(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer(["one"])]

    answers = [message(await messaged(gateway, **THINKING, stream=False)) for _ in range(2)]

    assert [answer["content"][0]["text"] for answer in answers] == ["one", "one"]
    assert [request.body.get("reasoning_effort") for request in server.received] == ["low", None, None]


async def test_what_one_answer_shows_of_a_server_does_not_undo_what_another_has_shown_meanwhile(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    complaint = HttpError(400, {"error": {"message": "reasoning_effort is not supported"}})
    server.answers = [Answer(thoughts="hm", reasoning_field="reasoning", holds=True), complaint, Answer(["one"])]
    first = asyncio.create_task(gateway.chat("hi", model="mine/tiny"))
    async with asyncio.timeout(5):
        while not server.received:
            await asyncio.sleep(0.005)
    await messaged(gateway, **THINKING)
    server.resume.set()
    await first

    await messaged(gateway, output_config={"effort": "low"})

    assert [request.body.get("reasoning_effort") for request in server.received[1:]] == ["low", None, None]


async def test_a_complaint_about_something_else_is_reported_at_once(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(400, {"error": {"message": "we think that this is too much"}}), Answer(["one"])]

    answer = await gateway.chat("hi", model="tiny")

    assert (answer.status, len(server.received)) == (400, 1)


async def test_thoughts_alone_are_a_message(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer([], thoughts="hm")]

    answer = await messaged(gateway, thinking={"type": "adaptive"})

    assert [event["type"] for event in answer.data if "index" in event] == [
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
    ]
    assert answer.data[-1]["type"] == "message_stop"


async def test_messages_send_them_back_with_the_calls_they_led_to(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}")]), Answer(["done"], thoughts="ah")]
    first = message(await messaged(gateway, **THINKING, tools=[OURS], stream=False))
    call = first["content"][-1]
    history: list[Any] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, *first["content"]]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "seen"}]},
    ]
    second = message(await messaged(gateway, *history, **THINKING, tools=[OURS], stream=False))
    answered = {"role": "assistant", "content": second["content"]}
    await messaged(gateway, *history, answered, {"role": "user", "content": "again"}, tools=[OURS])
    site.behaviour.ajax_status = 500
    await messaged(gateway, *history, model=SITES, tools=[OURS])

    sent = [[message.get("reasoning_content") for message in request.body["messages"]] for request in server.received]
    assert sent[1] == [None, "hm", None]
    assert sent[2] == [None, "hm", None, None, None]
    assert server.received[2].texts == ["hi", None, "seen", "done", "again"]
    assert "hm" not in json.dumps(server.received[3].body)


async def test_anthropics_sdk_shows_them_and_sends_them_back(
    gateway: RunningProxy, server: OpenAiPeer, tmp_path: Path
) -> None:
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}")]), Answer(["done"], thoughts="ah")]

    report = await sdk(gateway, "anthropic_thoughts.py", tmp_path)

    assert report == {
        "thoughts": "hm",
        "first": ["thinking", "tool_use"],
        "signed": True,
        "second": [["thinking", "ah"], ["text", "done"]],
    }
    assert [message.get("reasoning_content") for message in server.received[1].body["messages"]] == [None, "hm", None]


async def test_a_content_filter_stop_is_a_refusal_without_a_reason(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["so"], end="content_filter")]

    reply = message(await messaged(gateway, stream=False))

    assert reply["stop_reason"] == "refusal"
    assert reply["stop_details"] == {"type": "refusal", "category": None, "explanation": None}
