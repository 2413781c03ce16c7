"""A server's thoughts over the Messages API, streamed and whole."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.openai_server import OpenAiPeer, Refused, Said
from tests.proxy.api.messages.asking import message
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.thoughts import OURS, SITES, THINKING, messaged, sdk
from tests.site import SimulatedSite


@pytest.mark.parametrize("thinking", [{"type": "disabled"}, {"type": "adaptive", "display": "omitted"}, "no"])
async def test_messages_show_none_where_they_are_not_wanted(
    served: RunningProxy, server: OpenAiPeer, thinking: Any
) -> None:
    server.answers = [Said(["one"], thoughts="hm")]

    whole = message(await messaged(served, thinking=thinking, stream=False))

    assert [block["type"] for block in whole["content"]] == ["text"]


async def test_messages_count_apart_what_was_cached(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["one"])] * 2

    whole = message(await messaged(served, stream=False))
    events = (await messaged(served)).data

    (end,) = (event for event in events if event["type"] == "message_delta")
    for usage in (whole["usage"], end["usage"]):
        assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (6, 5, 7)


@pytest.mark.parametrize(
    ("thinking", "told", "effort"),
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
async def test_how_hard_to_think_is_told_to_a_server_in_its_own_words(
    served: RunningProxy, server: OpenAiPeer, thinking: Any, told: str | None, effort: str | None
) -> None:
    answer = await messaged(served, thinking=thinking, output_config={"effort": told})

    assert server.asked[0].body.get("reasoning_effort") == effort
    assert {"thinking", "output_config"}.isdisjoint(server.asked[0].body)
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
    served: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [Refused(400, {"error": {"message": complaint}}), Said(["one"])]

    answers = [message(await messaged(served, **THINKING, stream=False)) for _ in range(2)]

    assert [answer["content"][0]["text"] for answer in answers] == ["one", "one"]
    assert [asked.body.get("reasoning_effort") for asked in server.asked] == ["low", None, None]


async def test_what_one_answer_shows_of_a_server_does_not_undo_what_another_has_shown_meanwhile(
    served: RunningProxy, server: OpenAiPeer
) -> None:
    complaint = Refused(400, {"error": {"message": "reasoning_effort is not supported"}})
    server.answers = [Said(thoughts="hm", thinks_in="reasoning", holds=True), complaint, Said(["one"])]
    first = asyncio.create_task(served.chat("hi", model="mine/tiny"))
    async with asyncio.timeout(5):
        while not server.asked:
            await asyncio.sleep(0.005)
    await messaged(served, **THINKING)
    server.go_on.set()
    await first

    await messaged(served, output_config={"effort": "low"})

    assert [asked.body.get("reasoning_effort") for asked in server.asked[1:]] == ["low", None, None]


async def test_a_complaint_about_something_else_is_told_at_once(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Refused(400, {"error": {"message": "we think that this is too much"}}), Said(["one"])]

    answer = await served.chat("hi", model="tiny")

    assert (answer.status, len(server.asked)) == (400, 1)


async def test_thoughts_alone_are_a_message(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said([], thoughts="hm")]

    answer = await messaged(served, thinking={"type": "adaptive"})

    assert [event["type"] for event in answer.data if "index" in event] == [
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
    ]
    assert answer.data[-1]["type"] == "message_stop"


async def test_messages_send_them_back_with_the_calls_they_led_to(
    served: RunningProxy, site: SimulatedSite, server: OpenAiPeer
) -> None:
    server.answers = [Said([], thoughts="hm", calls=[("look", "{}")]), Said(["done"], thoughts="ah")]
    first = message(await messaged(served, **THINKING, tools=[OURS], stream=False))
    call = first["content"][-1]
    history: list[Any] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}, *first["content"]]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "seen"}]},
    ]
    second = message(await messaged(served, *history, **THINKING, tools=[OURS], stream=False))
    answered = {"role": "assistant", "content": second["content"]}
    await messaged(served, *history, answered, {"role": "user", "content": "again"}, tools=[OURS])
    site.behaviour.ajax_status = 500
    await messaged(served, *history, model=SITES, tools=[OURS])

    told = [[message.get("reasoning_content") for message in asked.body["messages"]] for asked in server.asked]
    assert told[1] == [None, "hm", None]
    assert told[2] == [None, "hm", None, None, None]
    assert server.asked[2].texts == ["hi", None, "seen", "done", "again"]
    assert "hm" not in json.dumps(server.asked[3].body)


async def test_anthropics_sdk_shows_them_and_sends_them_back(
    served: RunningProxy, server: OpenAiPeer, tmp_path: Path
) -> None:
    server.answers = [Said([], thoughts="hm", calls=[("look", "{}")]), Said(["done"], thoughts="ah")]

    told = await sdk(served, "anthropic_thoughts.py", tmp_path)

    assert told == {
        "thoughts": "hm",
        "first": ["thinking", "tool_use"],
        "signed": True,
        "second": [["thinking", "ah"], ["text", "done"]],
    }
    assert [message.get("reasoning_content") for message in server.asked[1].body["messages"]] == [None, "hm", None]


async def test_what_a_servers_filter_cut_is_a_refusal_without_a_reason(
    served: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Said(["so"], end="content_filter")]

    told = message(await messaged(served, stream=False))

    assert told["stop_reason"] == "refusal"
    assert told["stop_details"] == {"type": "refusal", "category": None, "explanation": None}
