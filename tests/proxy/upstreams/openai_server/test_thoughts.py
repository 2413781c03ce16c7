"""A server's thoughts and log probabilities over the Responses API, streamed and whole."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import pytest

from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.api.messages.messages_client import kinds, message, text_of
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, SITES, THINKING, TOOL, messaged, responded, sdk
from tests.proxy.wire import exchange
from tests.site import SimulatedSite


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_responses_tell_them_in_an_item_before_the_message(
    gateway: RunningProxy, server: OpenAiPeer, field: str
) -> None:
    server.answers = [Answer(["one ", "two"], thoughts="hm, let me see", reasoning_field=field)]

    stream = await gateway.openai.responses.create(model=MODEL, input="hi", stream=True)
    events: list[Any] = [event async for event in stream]
    whole = await gateway.openai.responses.create(model=MODEL, input="hi")

    assert [kind.removeprefix("response.") for kind, _ in groupby(event.type for event in events)] == [
        *("created", "in_progress"),
        *("output_item.added", "content_part.added", "reasoning_text.delta"),
        *("reasoning_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    for response in (events[-1].response, whole):
        thought, said = cast("list[Any]", response.output)
        assert (thought.type, thought.content[0].text, thought.summary) == ("reasoning", "hm, let me see", [])
        assert (said.type, response.output_text) == ("message", "one two")
        assert (thought.status, said.status) == ("completed", "completed")


async def test_the_sdks_own_stream_puts_them_together(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one ", "two"], thoughts="hm", calls=[("look", "{}")])]

    async with gateway.openai.responses.stream(model=MODEL, input="hi", tools=[TOOL], top_logprobs=1) as stream:
        final = await stream.get_final_response()

    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
    assert (final.output_text, final.usage and final.usage.output_tokens_details.reasoning_tokens) == ("one two", 3)


async def test_thoughts_alone_and_thoughts_before_a_call(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [*[Answer([], thoughts="hm")] * 2, Answer([], thoughts="hm", calls=[("look", "{}")])]

    empty = await responded(gateway)
    whole = await gateway.openai.responses.create(model=MODEL, input="hi")
    called = await responded(gateway, tools=[TOOL])

    assert [item["type"] for item in empty["output"]] == ["reasoning", "message"]
    assert [item.type for item in whole.output] == ["reasoning", "message"]
    assert [item["type"] for item in called["output"]] == ["reasoning", "function_call"]


async def test_the_events_of_an_answer_without_a_word_begin_with_the_opening(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer([])]

    assert [item["type"] for item in (await responded(gateway))["output"]] == ["message"]


async def test_a_text_before_a_call_was_whole_also_where_the_answer_was_cut(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer(["so"], calls=[("look", "{}")], end="length")]

    streamed = await responded(gateway, tools=[TOOL])
    whole = await gateway.openai.responses.create(model=MODEL, input="hi", tools=[TOOL])

    assert (streamed["status"], whole.status) == ("incomplete", "incomplete")
    assert [item["status"] for item in streamed["output"]] == ["completed", "completed"]
    assert [getattr(item, "status", None) for item in whole.output] == ["completed", "completed"]


async def test_thoughts_amid_a_text_follow_it_in_responses_and_part_it_in_messages(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    deltas = [{"reasoning": "a"}, {"content": "one "}, {"reasoning": "b"}, {"content": "two"}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    server.answers = ["".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()]

    response = await responded(gateway)
    stored = await exchange(gateway.url, "GET", f"/v1/responses/{response['id']}")
    answer = await messaged(gateway, **THINKING)
    whole = message(await messaged(gateway, **THINKING, stream=False))

    items = [(item["type"], item["content"][0]["text"]) for item in response["output"]]
    assert items == [("reasoning", "a"), ("message", "one two"), ("reasoning", "b")]
    assert json.loads(stored.body) == response
    blocks = [event["content_block"]["type"] for event in answer.data if event["type"] == "content_block_start"]
    assert blocks == ["thinking", "text", "thinking", "text"]
    assert text_of(answer) == "one two"
    assert [block.get("thinking", block.get("text")) for block in whole["content"]] == ["ab", "one two"]


async def test_responses_are_stored_as_they_were_told_and_continue_without_them(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer(["one"], thoughts="hm")]
    sdk = gateway.openai
    first = await sdk.responses.create(model=MODEL, input="hi")
    stored = await sdk.responses.retrieve(first.id)
    streamed = await responded(gateway)
    await sdk.responses.create(model=MODEL, input="again", previous_response_id=first.id)
    named: Any = [{"type": "item_reference", "id": item.id} for item in first.output]
    await sdk.responses.create(model=MODEL, input=[*named, {"role": "user", "content": "and again"}])

    assert [item.type for item in stored.output] == ["reasoning", "message"]
    assert stored == first
    assert json.loads((await exchange(gateway.url, "GET", f"/v1/responses/{streamed['id']}")).body) == streamed
    assert server.received[2].texts == ["hi", "one", "again"]
    assert server.received[3].texts == ["one", "and again"]
    assert "hm" not in json.dumps([request.body for request in server.received])


async def test_a_call_after_a_reference_to_its_thought_is_sent_once(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}")]), Answer(["done"])]
    params: dict[str, Any] = {"model": MODEL, "tools": [TOOL]}
    first = await gateway.openai.responses.create(**params, input="look")
    thought, call = cast("list[Any]", first.output)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "seen"}
    named = {"type": "item_reference", "id": thought.id}
    question = {"role": "user", "content": "look"}
    await gateway.openai.responses.create(**params, input=cast("Any", [question, named, call, result]))

    messages = server.received[1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert len(messages[1]["tool_calls"]) == 1


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_responses_send_them_back_with_the_calls_they_led_to(
    gateway: RunningProxy, site: SimulatedSite, server: OpenAiPeer, field: str
) -> None:
    server.answers = [Answer([], thoughts="hm", reasoning_field=field, calls=[("look", "{}")]), Answer(["done"])]
    params: dict[str, Any] = {"model": MODEL, "tools": [TOOL], "store": False}
    first = await gateway.openai.responses.create(**params, input="look")
    (call,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "seen"}
    history: list[Any] = [{"role": "user", "content": "look"}, *first.output, result]
    second = await gateway.openai.responses.create(**params, input=history)
    site.behaviour.ajax_status = 500
    await gateway.openai.responses.create(**{**params, "model": SITES}, input=history)

    assert second.output_text == "done"
    assert [message.get(field) for message in server.received[1].body["messages"]] == [None, "hm", None]
    assert "hm" not in json.dumps(server.received[2].body)


async def test_each_call_keeps_its_own_where_a_server_names_all_calls_alike(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    history: list[Any] = [{"role": "user", "content": "look twice"}]
    for thought in ("first", "second"):
        server.answers = [Answer([], thoughts=thought, calls=[("look", "{}")])]
        response = await gateway.openai.responses.create(model=MODEL, input=history, tools=[TOOL])
        (call,) = [item for item in response.output if item.type == "function_call"]
        history += [*response.output, {"type": "function_call_output", "call_id": call.call_id, "output": "seen"}]
    await responded(gateway, input=[item if isinstance(item, dict) else item.to_dict() for item in history])

    sent = [message.get("reasoning_content") for message in server.received[2].body["messages"]]
    assert sent == [None, "first", None, "second", None]


async def test_thoughts_that_are_not_those_of_a_call_are_left_out(gateway: RunningProxy, server: OpenAiPeer) -> None:
    def thought(text: str) -> dict[str, Any]:
        return {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": text}]}

    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    messages = [{"role": kind, "content": "x"} for kind in ("assistant", "user", "assistant")]
    result = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
    summed = {**thought(""), "content": None, "summary": [{"type": "summary_text", "text": "sum"}]}
    items = [thought("gone"), *messages[:2], summed, thought("kept"), messages[2], call, result]

    await responded(gateway, input=items, tools=[TOOL])

    sent = [message.get("reasoning_content") for message in server.received[0].body["messages"]]
    assert sent == [None, None, "kept", None]


@pytest.mark.parametrize(
    "fields",
    [{"top_logprobs": 2}, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}],
    ids=["top_logprobs", "include"],
)
async def test_log_probabilities_come_with_a_responses_text(
    gateway: RunningProxy, server: OpenAiPeer, fields: dict[str, Any]
) -> None:
    server.answers = [Answer(["one ", "two"], thoughts="hm")]

    stream = await gateway.openai.responses.create(model=MODEL, input="hi", stream=True, **fields)
    deltas: list[Any] = [event async for event in stream if event.type == "response.output_text.delta"]
    raw = await gateway.openai.responses.with_raw_response.create(model=MODEL, input="hi", **fields)
    streamed = await responded(gateway, **fields)

    assert [[token.token for token in delta.logprobs] for delta in deltas] == [["one "], ["two"]]
    whole: Any = raw.parse()
    (part,) = whole.output[-1].content
    assert [(token.token, token.logprob, bytes(token.bytes)) for token in part.logprobs] == [
        ("one ", -0.25, b"one "),
        ("two", -0.25, b"two"),
    ]
    assert [len(token.top_logprobs) for token in part.logprobs] == [2, 2]
    assert (
        streamed["output"][-1]["content"][0]["logprobs"] == json.loads(raw.text)["output"][-1]["content"][0]["logprobs"]
    )
    assert (whole.output_text, whole.top_logprobs) == ("one two", 2)
    assert "x-ignored-params" not in raw.headers
    for name in (whole.id, streamed["id"]):  # they are not stored
        stored: Any = await gateway.openai.responses.retrieve(name)
        assert (stored.output[-1].content[0].logprobs, stored.output_text) == ([], "one two")


async def test_log_probabilities_that_nobody_asked_for_are_not_asked_of_the_server(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    raw = await gateway.openai.responses.with_raw_response.create(
        model=MODEL, input="hi", include=["reasoning.encrypted_content"], top_logprobs=0
    )

    assert not {"logprobs", "top_logprobs"} & set(server.received[0].body)
    assert "x-ignored-params" not in raw.headers


async def test_invalid_log_probabilities_break_nothing(gateway: RunningProxy, server: OpenAiPeer) -> None:
    tokens: list[Any] = ["x", {"token": 1}, {"token": "o", "logprob": None}, {"token": "n", "logprob": -1, "bytes": 3}]
    tokens[-1]["top_logprobs"] = [None, {"token": "é", "logprob": -2}]
    choice = {"index": 0, "delta": {"content": "on"}, "logprobs": {"content": tokens}, "finish_reason": "stop"}
    server.answers = [f"data: {json.dumps({'choices': [choice]})}\n\n".encode()]

    response = await responded(gateway, top_logprobs=1)

    (token,) = response["output"][0]["content"][0]["logprobs"]
    assert (token["token"], token["bytes"], token["top_logprobs"][0]["bytes"]) == ("n", [110], [0xC3, 0xA9])


async def test_a_site_names_what_it_cannot_tell(gateway: RunningProxy) -> None:
    included = await gateway.openai.responses.with_raw_response.create(
        model=SITES, input="hi", include=["message.output_text.logprobs"]
    )
    several = await gateway.openai.responses.with_raw_response.create(model=SITES, input="hi", top_logprobs=3)
    thinking = await messaged(gateway, model=SITES, **THINKING)

    assert included.headers["x-ignored-params"] == "logprobs"
    assert several.headers["x-ignored-params"] == "logprobs, top_logprobs"
    assert thinking.headers["x-ignored-params"] == "thinking"
    assert [item.type for item in included.parse().output] == ["message"]


async def test_an_answer_that_broke_off_after_a_thought_is_an_error_in_each_api(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [Answer([], thoughts="hm", error={"message": "overloaded"})]

    body = {"model": MODEL, "input": "hi", "stream": True}
    response = (await exchange(gateway.url, "POST", "/v1/responses", body)).data
    answer = await messaged(gateway, **THINKING)

    assert [event["type"] for event in response[-2:]] == ["error", "response.failed"]
    assert answer.data[-1]["type"] == "error"
    assert "message_stop" not in kinds(answer)


async def test_an_agent_of_openais_sdk_thinks_and_calls(
    gateway: RunningProxy, server: OpenAiPeer, tmp_path: Path
) -> None:
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}")]), Answer(["done"], thoughts="ah")]

    report = await sdk(gateway, "agents_thoughts.py", tmp_path)

    assert (report["thoughts"], report["last"]) == (["hm", "ah"], "done")
    assert report["kinds"] == [
        *("reasoning_item", "tool_call_item", "tool_call_output_item"),
        *("reasoning_item", "message_output_item"),
    ]
    assert [message.get("reasoning_content") for message in server.received[1].body["messages"]] == [None, "hm", None]
