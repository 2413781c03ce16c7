"""Answers of a server through the proxy: requests to the server, and answers to clients."""

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.pictures import PNG
from tests.proxy.running import RunningProxy, running_proxy
from tests.proxy.upstreams.openai_server.conftest import KEY
from tests.site import SimulatedSite

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


async def test_its_models_are_listed_by_both_names_where_the_bare_one_is_free(gateway: RunningProxy) -> None:
    listed = {model.id: model async for model in gateway.openai.models.list()}

    full, bare = listed["mine/tiny"].model_dump(), listed["tiny"].model_dump()
    assert (full["site"], full["owned_by"], full["alias_of"], full["bot_id"]) == ("mine", "library", None, None)
    assert (full["tools"], full["structured_outputs"], bare["alias_of"]) == ("native", "native", "mine/tiny")
    assert "temperature" in full["supported_parameters"]
    assert {"mine/llama3.2", "mine/gpt-4o-mini-helper"} <= set(listed)
    assert listed["gpt-4o-mini-helper"].model_dump()["site"] != "mine"  # the site had the name first


async def test_an_answer_streams_with_the_usage_that_the_server_tells(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer(["one ", "two"])]

    stream = await gateway.openai.chat.completions.create(
        model="mine/tiny",
        messages=[{"role": "user", "content": "count"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (11, 7)
    details = (chunks[-1].usage.prompt_tokens_details, chunks[-1].usage.completion_tokens_details)
    assert [details[0] and details[0].cached_tokens, details[1] and details[1].reasoning_tokens] == [5, 3]
    assert server.received[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ["tiny", "MINE/TINY", "mine/llama3.2", "mine/llama3.2:latest", "llama3.2"])
async def test_its_names_lead_to_it(gateway: RunningProxy, server: OpenAiPeer, name: str) -> None:
    assert (await gateway.chat("hi", model=name)).text == "served"
    assert server.received[0].body["model"] == ("llama3.2:latest" if "llama" in name else "tiny")


async def test_everything_the_client_says_passes(gateway: RunningProxy, server: OpenAiPeer) -> None:
    answer = await gateway.chat(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "what is it?"}, _image()]},
        {"role": "assistant", "content": "A square."},
        "sure?",
        model="mine/tiny",
        temperature=0.3,
        top_p=0.9,
        seed=7,
        max_tokens=50,
        stop=["END"],
        logit_bias={"5": 1},
        reasoning_effort="low",
        suffix="no",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "it", "schema": {"type": "object"}, "strict": True},
        },
    )

    assert answer.status == 200
    body = server.received[0].body
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][1]["content"] == [{"type": "text", "text": "what is it?"}, _image()]
    sent = {name: body[name] for name in ("temperature", "top_p", "seed", "max_tokens", "stop", "reasoning_effort")}
    assert sent == {
        "temperature": 0.3,
        "top_p": 0.9,
        "seed": 7,
        "max_tokens": 50,
        "stop": ["END"],
        "reasoning_effort": "low",
    }
    assert body["response_format"]["json_schema"] == {"name": "it", "schema": {"type": "object"}, "strict": True}
    assert answer.headers["x-ignored-params"] == "suffix"


async def test_no_limit_of_ours_cuts_what_the_server_limits(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["a b c d e f g"], end="length")]

    answer = await gateway.chat("hi", model="mine/tiny", max_tokens=2)

    assert answer.text == "a b c d e f g"
    assert answer.body["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("mode", ["emulate", "ignore", "refuse"])
async def test_a_tool_loop_of_the_official_client(
    site: SimulatedSite, server: OpenAiPeer, gateway: RunningProxy, mode: str
) -> None:
    object.__setattr__(gateway.settings, "tools", mode)  # tools are not emulated here: the setting does not matter
    server.answers = [Answer([], [("weather", '{"city": "Ulm"}'), ("weather", '{"city": "Bonn"}')]), Answer(["Sunny."])]
    messages: list[Any] = [{"role": "user", "content": "weather in Ulm and Bonn?"}]

    first = await gateway.openai.chat.completions.create(
        model="mine/tiny", messages=messages, tools=[TOOL], tool_choice="required", parallel_tool_calls=False
    )
    calls = first.choices[0].message.tool_calls or []
    messages += [first.choices[0].message.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls]
    second = await gateway.openai.chat.completions.create(model="mine/tiny", messages=messages, tools=[TOOL])

    assert first.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments)["city"] for call in calls if call.type == "function"] == ["Ulm", "Bonn"]
    assert second.choices[0].message.content == "Sunny."
    sent, then = server.received[0].body, server.received[1].body
    assert (sent["tools"], sent["tool_choice"], sent["parallel_tool_calls"]) == ([TOOL], "required", False)
    assert [call["id"] for call in then["messages"][1]["tool_calls"]] == [call.id for call in calls]
    assert then["messages"][1]["content"] is None
    assert then["messages"][2:] == [{"role": "tool", "tool_call_id": call.id, "content": "sun"} for call in calls]
    assert "tool_choice" not in then


@pytest.mark.parametrize("mode", ["emulate", "refuse"])
async def test_tools_that_no_client_runs_reach_it_as_they_are(
    server: OpenAiPeer, gateway: RunningProxy, mode: str
) -> None:
    object.__setattr__(gateway.settings, "tools", mode)
    others = [{"type": "web_search", "web_search": {"enable": True}}, {"type": "openrouter:datetime"}]
    builtin = {"type": "builtin_function", "function": {"name": "$web_search"}}

    alone = await gateway.chat("hi", model="mine/tiny", tools=others, tool_choice="required")
    mixed = await gateway.chat("hi", model="mine/tiny", tools=[TOOL, builtin], tool_choice="auto")

    sent, then = (request.body for request in server.received)
    assert (alone.text, sent["tools"], sent["tool_choice"]) == ("served", others, "required")
    assert (mixed.text, then["tools"]) == ("served", [builtin, TOOL])


async def test_the_responses_api_stands_on_it(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer([], [("weather", '{"city": "Ulm"}')]), Answer(["Sunny."])]
    tool: Any = {"type": "function", **TOOL["function"]}

    first = await gateway.openai.responses.create(
        model="mine/tiny",
        input="weather?",
        tools=[tool],
        reasoning={"effort": "low"},
        text={"verbosity": "low"},
    )
    call: Any = first.output[0]
    second = await gateway.openai.responses.create(
        model="mine/tiny",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sun"}],
    )

    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Ulm"})
    assert second.output_text == "Sunny."
    assert (server.received[0].body["reasoning_effort"], server.received[0].body["verbosity"]) == ("low", "low")
    assert [message["role"] for message in server.received[1].body["messages"]] == ["user", "assistant", "tool"]


async def test_a_stored_conversation_is_told_as_a_whole(gateway: RunningProxy, server: OpenAiPeer) -> None:
    conversation = (await gateway.openai.conversations.create()).id

    await gateway.chat("my name is Ada", model="mine/tiny", conversation_id=conversation)
    await gateway.chat("who am I?", model="mine/tiny", conversation_id=conversation)

    assert server.received[1].texts == ["my name is Ada", "served", "who am I?"]


@pytest.mark.parametrize(
    ("complaint", "gone", "there"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("Extra inputs are not permitted: stream_options", "stream_options", "max_tokens"),
    ],
)
async def test_a_server_of_other_manners_is_asked_in_its_own(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str, gone: str, there: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer()]

    assert (await gateway.chat("hi", model="mine/tiny", max_tokens=9)).text == "served"
    assert (await gateway.chat("hi", model="mine/tiny", max_tokens=9)).text == "served"

    assert len(server.received) == 3
    assert all(gone not in request.body and there in request.body for request in server.received[1:])


async def test_json_is_asked_for_by_its_form_where_a_server_takes_no_other_word(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    complaint = HttpError(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})  # LM Studio's
    server.answers = [complaint, Answer(["{}"])]
    fields: dict[str, Any] = {"model": "mine/tiny", "response_format": {"type": "json_object"}}

    assert [(await gateway.chat("hi", **fields)).text for _ in range(2)] == ["{}", "{}"]

    response_format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    sent = [request.body["response_format"] for request in server.received]
    assert sent == [{"type": "json_object"}, response_format, response_format]


async def test_a_client_that_leaves_ends_the_answer(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(holds=True)]
    stream = await gateway.openai.chat.completions.create(
        model="mine/tiny", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()

    await asyncio.wait_for(server.disconnected.wait(), 5)


def _image() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64encode(PNG).decode()}"}}


async def test_a_server_has_a_limit_of_its_own_and_its_usage_is_told_by_its_name(
    site: SimulatedSite, server: OpenAiPeer, tmp_path: Path
) -> None:
    server.answers = [Answer(["first"], holds=True), Answer(["second"])]
    settings: dict[str, Any] = {"servers": f"mine={server.base_url}", "server_keys": f"mine={KEY}", "max_server": 1}
    async with running_proxy(site, tmp_path, **settings) as proxy:
        upstream = proxy.app[UPSTREAMS][1]
        await upstream.discover()
        first = asyncio.create_task(proxy.chat("hi", model="mine/tiny"))
        async with asyncio.timeout(5):
            while not server.received:
                await asyncio.sleep(0.005)
        second = asyncio.create_task(proxy.chat("hi", model="mine/tiny"))
        async with asyncio.timeout(5):
            while not upstream.health().queued:
                await asyncio.sleep(0.005)
        of_the_site = await proxy.chat("hi")
        health = upstream.health()
        server.resume.set()
        texts = [(await first).text, (await second).text]
        await proxy.write_usage()
        async with proxy.http.get(f"{proxy.url}/admin/usage?by=site") as response:
            used = {row["site"]: row for row in (await response.json())["data"]}

    assert of_the_site.status == 200
    assert (health.open_streams, health.queued) == (1, 1)
    assert texts == ["first", "second"]
    assert (used["mine"]["requests"], used["mine"]["tokens_in"]) == (2, 2 * 11)
    assert used[site.origin]["requests"] == 1


@pytest.mark.parametrize(
    "name", ["gemini-a", "mine/gemini-a", "models/gemini-a", "mine/models/gemini-a", "MINE/Gemini-A"]
)
async def test_a_model_that_is_listed_as_models_name_answers_to_its_name(
    site: SimulatedSite, tmp_path: Path, name: str
) -> None:
    async with (
        OpenAiPeer("models/gemini-a") as server,
        running_proxy(site, tmp_path, servers=f"mine={server.base_url}") as proxy,
    ):
        await proxy.app[UPSTREAMS][1].discover()
        answer = await proxy.chat("hi", model=name)

    assert (answer.text, server.received[0].body["model"]) == ("served", "models/gemini-a")
