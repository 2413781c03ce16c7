"""Requests as clients write them: all of these must be taken, and nothing in them lost."""

from pathlib import Path
from typing import Any

import openai
import pytest

from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

CHAT = "/v1/chat/completions"
MODEL = "gpt-4o-mini-helper"
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
Messages = list[dict[str, Any]]


def user(content: Any = "hello there", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


TAKEN: dict[str, tuple[Messages, list[str]]] = {  # the messages, and what the model must get to see in this order
    "a text": ([user()], ["hello there"]),
    "parts": ([user([{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}])], ["one", "two"]),
    "parts of a system message": (
        [{"role": "system", "content": [{"type": "text", "text": "be brief"}]}, user()],
        ["be brief", "hello there"],
    ),
    "parts of an answer": (
        [user(), {"role": "assistant", "content": [{"type": "text", "text": "said so"}]}, user("and now")],
        ["hello there", "said so", "and now"],
    ),
    "a refusal as an answer": (
        [user(), {"role": "assistant", "content": [{"type": "refusal", "refusal": "not that"}]}, user("and now")],
        ["hello there", "not that", "and now"],
    ),
    "a refusal beside an answer": (
        [user(), {"role": "assistant", "content": None, "refusal": "not that"}, user("and now")],
        ["hello there", "not that", "and now"],
    ),
    "parts of a tool's result": (
        [
            user(),
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "result 42"}]},
        ],
        ["hello there", "result 42"],
    ),
    "an answer without content": (
        [user(), {"role": "assistant", "tool_calls": [CALL]}, user("and now")],
        ["hello there", "and now"],
    ),
    "an empty answer": ([user(), {"role": "assistant", "content": ""}, user("and now")], ["hello there", "and now"]),
    "an empty system text": ([{"role": "system", "content": ""}, user()], ["hello there"]),
    "no parts": ([{"role": "system", "content": []}, user()], ["hello there"]),
    "the same role twice": ([user("first half"), user("second half")], ["first half", "second half"]),
    "answers twice": (
        [user(), {"role": "assistant", "content": "one"}, {"role": "assistant", "content": "two"}, user("go on")],
        ["one", "two", "go on"],
    ),
    "names": ([user("hello there", name="Ada")], ["hello there"]),
    "a developer": ([{"role": "developer", "content": "be brief"}, user()], ["be brief", "hello there"]),
    "a function's result": ([user(), {"role": "function", "name": "f", "content": "result 42"}], ["result 42"]),
    "a tool's result of an unknown call": (
        [user(), {"role": "tool", "tool_call_id": "call_9", "content": "result 42"}],
        ["result 42"],
    ),
    "a system text alone": ([{"role": "system", "content": "say hello"}], ["say hello"]),
    "a developer text alone": ([{"role": "developer", "content": "say hello"}], ["say hello"]),
    "the beginning of an answer": (
        [user("a poem"), {"role": "assistant", "content": "Roses are"}],
        ["a poem", "Roses"],
    ),
    "fields nobody knows": (
        [user("hello there", cache_control={"type": "ephemeral"}, id="m1", reasoning_content="x")],
        ["hello there"],
    ),
}


@pytest.mark.parametrize("what", TAKEN)
async def test_messages_of_every_form_reach_the_model(proxy: RunningProxy, site: SimulatedSite, what: str) -> None:
    """Agent frameworks send every one of these; some proxies blank what they do not expect, and answer all the same."""
    messages, seen = TAKEN[what]

    answer = await proxy.chat(*messages)

    assert answer.status == 200, answer.body
    prompt = site.model_calls[-1].messages[-1]["content"]
    positions = [prompt.index(text) for text in seen]
    assert positions == sorted(positions)


@pytest.mark.parametrize("stop", ["世界", ["世界"], ["nowhere", "世界"], None, [], ""])
async def test_a_stop_may_be_a_text_a_list_or_nothing(proxy: RunningProxy, stop: Any) -> None:
    """Clients fill the field from an empty setting as readily as from a list."""
    text = (await proxy.chat("hi", stop=stop)).text

    assert ("世界" in text) == (not stop)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_tokens": 4}, "length"),
        ({"max_completion_tokens": 4}, "length"),
        ({"max_tokens": 4, "max_completion_tokens": 100_000}, "length"),
        ({"max_tokens": None, "max_completion_tokens": 4}, "length"),
        ({"max_tokens": 0}, "stop"),
        ({"max_tokens": -1}, "stop"),
        ({"max_tokens": None, "max_completion_tokens": None}, "stop"),
    ],
)
async def test_both_names_of_the_limit_work_and_zero_is_none(
    proxy: RunningProxy, limits: dict[str, Any], reason: str
) -> None:
    """New clients send the new name, old ones the old, some both; and 0 stands for «no limit» in settings windows."""
    answer = await proxy.chat("hi", **limits)

    assert answer.body["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_negative_limit_is_refused(proxy: RunningProxy, name: str) -> None:
    limits: dict[str, Any] = {name: -2}
    answer = await proxy.chat("hi", **limits)

    assert (answer.status, answer.body["error"]["param"]) == (400, name)


UNKNOWN: dict[str, Any] = {
    "reasoning_effort": "high",
    "parallel_tool_calls": False,
    "store": True,
    "metadata": {"session": "1"},
    "user": "ada",
    "service_tier": "flex",
    "seed": 7,
    "logit_bias": {"50256": -100},
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {"search_context_size": "low"},
    "temperature": 0.7,
    "top_p": 1,
    "top_k": 40,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": True,
    "top_logprobs": 2,
    "modalities": ["text"],
    "verbosity": "low",
    "safety_identifier": "u1",
    "prompt_cache_key": "k1",
    "keep_alive": "5m",
    "chat_template_kwargs": {"thinking": True},
    "something_of_2031": [{"a": None}],
}


@pytest.mark.parametrize(
    ("path", "fields"),
    [(CHAT, {"messages": [user()]}), ("/v1/completions", {"prompt": "hi"}), ("/v1/responses", {"input": "hi"})],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_parameters_without_effect_are_no_errors(
    proxy: RunningProxy, path: str, fields: dict[str, Any], stream: bool
) -> None:
    """Clients send what the best-known model takes, whatever they talk to; a 400 would shut all of them out."""
    answer = await exchange(proxy.url, "POST", path, {"model": MODEL, "stream": stream, **fields, **UNKNOWN})

    assert answer.status == 200, answer.body
    ignored = answer.headers["x-ignored-params"].split(", ")
    assert {"temperature", "top_p"} <= set(ignored) <= set(UNKNOWN)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "tool_choice": "auto"},
        {"tools": None},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"},
        {"functions": [{"name": "f"}], "function_call": "none"},
        {"response_format": {"type": "text"}},
        {"response_format": None},
        {"n": 1},
        {"n": None},
    ],
)
async def test_neutral_values_are_accepted(proxy: RunningProxy, fields: dict[str, Any]) -> None:
    """Frameworks send their tools along with every request and switch them off by the choice alone."""
    assert (await proxy.chat("hi", **fields)).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
        {"functions": [{"name": "f"}]},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
    ],
)
async def test_disabled_features_are_an_error(site: SimulatedSite, tmp_path: Path, fields: dict[str, Any]) -> None:
    """An agent that is answered in prose where it waits for a call goes round in circles; an error it can show."""
    async with running_proxy(site, tmp_path, tools="refuse") as proxy:
        with pytest.raises(openai.BadRequestError) as exc_info:
            await proxy.openai.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "hi"}], **fields
            )

    assert exc_info.value.code == "unsupported_parameter"
    assert exc_info.value.param in fields
