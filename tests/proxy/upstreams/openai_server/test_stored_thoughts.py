"""Thoughts before calls are kept with the answer, and go back to the server where a client only names it; and where it
sends back no more of them than a summary, or what it cannot read."""

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, SITES, TOOL
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

USER: Any = {"role": "user", "content": "look"}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "look"}}


def call_and_answer() -> list[Any]:
    """A call after thoughts, and the answer to its result."""
    return [
        Answer([], thoughts="hm", reasoning_field="reasoning", calls=[("look", "{}")]),
        Answer(["done"], thoughts="so", reasoning_field="reasoning"),
    ]


async def first_response(gateway: RunningProxy, **fields: Any) -> tuple[Any, list[Any]]:
    """A stored response with a call, and what a client says next."""
    stream = await gateway.openai.responses.create(model=MODEL, input="look", tools=[TOOL], stream=True, **fields)
    response: Any = [event async for event in stream][-1].response
    (call,) = [item for item in response.output if item.type == "function_call"]
    return response, [{"type": "function_call_output", "call_id": call.call_id, "output": "seen"}]


def thoughts_sent(server: OpenAiPeer, request: int = -1) -> list[Any]:
    return [message.get("reasoning") for message in server.received[request].body["messages"]]


async def test_thoughts_go_back_with_previous_response_id(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = call_and_answer()
    first, result = await first_response(gateway)
    second = await gateway.openai.responses.create(model=MODEL, input=result, previous_response_id=first.id)
    await gateway.openai.responses.create(model=MODEL, input="and now", previous_response_id=second.id)

    assert thoughts_sent(server, 1) == [None, "hm", None]
    assert thoughts_sent(server, 2) == [None, "hm", None, None, None]  # the second had no calls


@pytest.mark.parametrize(
    "named", [lambda output: [output[-1]], lambda output: output], ids=["by its call", "by all its items"]
)
async def test_thoughts_go_back_with_item_references(
    gateway: RunningProxy, server: OpenAiPeer, named: Callable[[list[Any]], list[Any]]
) -> None:
    server.answers = call_and_answer()
    first, result = await first_response(gateway)
    items: list[Any] = [{"type": "item_reference", "id": item.id} for item in named(first.output)]
    await gateway.openai.responses.create(model=MODEL, input=[USER, *items, *result])

    assert thoughts_sent(server) == [None, "hm", None]


async def test_thoughts_go_back_in_a_conversation(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = call_and_answer()
    conversation = (await gateway.openai.conversations.create()).id
    _, result = await first_response(gateway, conversation=conversation)
    await gateway.openai.responses.create(model=MODEL, input=result, conversation=conversation)
    items = [item async for item in gateway.openai.conversations.items.list(conversation)]

    assert thoughts_sent(server) == [None, "hm", None]
    assert "reasoning" not in {item.type for item in items}


async def test_thoughts_go_back_in_a_chat_with_a_conversation_id(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = call_and_answer()
    conversation = (await gateway.openai.conversations.create()).id
    fields: Any = {"tools": [CHAT_TOOL], "conversation_id": conversation, "model": MODEL}
    first = await gateway.chat("look", **fields)
    (call,) = first.body["choices"][0]["message"]["tool_calls"]
    await gateway.chat({"role": "tool", "tool_call_id": call["id"], "content": "seen"}, **fields)

    assert thoughts_sent(server) == [None, "hm", None]


async def test_thoughts_go_to_no_other_server(gateway: RunningProxy, server: OpenAiPeer, site: SimulatedSite) -> None:
    server.answers = call_and_answer()
    first, result = await first_response(gateway)
    params: Any = {"model": SITES, "input": result, "previous_response_id": first.id}
    await gateway.openai.responses.create(**params)
    told_site = str([call.messages for call in site.model_calls])
    site.behaviour.ajax_status = 500
    await gateway.openai.responses.create(**params)

    assert "look" in told_site
    assert "hm" not in told_site
    assert len(server.received) == 2
    assert thoughts_sent(server) == [None, None, None]


async def test_where_a_summary_is_asked_for_they_stand_there(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer([], thoughts="hm, let me see", calls=[("look", "{}")])]
    params: Any = {"model": MODEL, "tools": [TOOL], "reasoning": {"summary": "auto"}}

    stream = await gateway.openai.responses.create(**params, input="hi", stream=True)
    events: list[Any] = [event async for event in stream]
    whole = await gateway.openai.responses.create(**params, input="hi")

    assert [kind.removeprefix("response.") for kind, _ in groupby(event.type for event in events)][2:8] == [
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
    ]
    for response in (events[-1].response, whole):
        thought, call = response.output
        assert ([part.text for part in thought.summary], thought.content) == (["hm, let me see"], [])
        sent: Any = [
            {"role": "user", "content": "hi"},
            {"type": "reasoning", "id": thought.id, "summary": [part.model_dump() for part in thought.summary]},
            {"type": "function_call", "call_id": call.call_id, "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": call.call_id, "output": "seen"},
        ]
        await gateway.openai.responses.create(**params, input=sent)
        assert server.received[-1].body["messages"][1]["reasoning_content"] == "hm, let me see"


@pytest.mark.parametrize("stream", [False, True])
async def test_thoughts_come_encrypted_if_requested(gateway: RunningProxy, server: OpenAiPeer, stream: bool) -> None:
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}")])]
    params = {"tools": [TOOL], "include": ["reasoning.encrypted_content"], "store": False, "stream": stream}
    answer = await exchange(gateway.url, "POST", "/v1/responses", {"model": MODEL, "input": "hi", **params})
    thought, call = (answer.data[-1]["response"] if stream else json.loads(answer.body))["output"]

    sealed = {"type": "reasoning", "summary": [], "encrypted_content": thought["encrypted_content"]}
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
    sent = [{"role": "user", "content": "hi"}, sealed, call, result]
    await exchange(gateway.url, "POST", "/v1/responses", {"model": MODEL, "input": sent, **params})

    assert server.received[-1].body["messages"][1]["reasoning_content"] == "hm"


async def test_thoughts_in_parts_of_the_content_are_reported_and_go_back_so(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    """As Mistral's servers send them, which refuse any other field for them."""
    thinking: Any = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    call = {"index": 0, "id": "abcdefgh1", "function": {"name": "look", "arguments": "{}"}}
    deltas: list[Any] = [{"content": thinking}, {"content": [{"type": "text", "text": "so"}]}, {"tool_calls": [call]}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    server.answers = ["".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode(), Answer(["done"])]
    first = (await gateway.chat("look", model=MODEL, tools=[CHAT_TOOL])).body["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "abcdefgh1", "content": "seen"}
    await gateway.chat(USER, first, result, model=MODEL, tools=[CHAT_TOOL])

    assert (first["reasoning_content"], first["content"]) == ("hm", "so")
    messages = server.received[1].body["messages"][1]
    assert (messages["content"], messages.keys()) == (
        [*thinking, {"type": "text", "text": "so"}],
        {"role", "content", "tool_calls"},
    )


async def test_they_are_left_out_for_a_server_that_refuses_them(gateway: RunningProxy, server: OpenAiPeer) -> None:
    place = ["body", "messages", 1, "assistant", "reasoning_content"]
    detail = [{"type": "extra_forbidden", "loc": place, "msg": "Extra inputs are not permitted", "input": "hm"}]
    server.answers = [
        HttpError(422, {"object": "error", "message": {"detail": detail}}),
        Answer(["done"], thoughts="so"),
    ]
    message = {"role": "assistant", "content": "so", "reasoning_content": "hm"}

    assert [(await gateway.chat(USER, message, USER, model=MODEL)).text for _ in range(2)] == ["done", "done"]
    assert [request.body["messages"][1] for request in server.received[1:]] == [
        {"role": "assistant", "content": "so"}
    ] * 2


async def test_kept_thoughts_too_are_left_out_for_a_server_that_refuses_them(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    refused = HttpError(422, {"message": "messages.1.reasoning_content: extra_forbidden"})
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}")]), refused, Answer(["done"])]
    first, result = await first_response(gateway)

    await gateway.openai.responses.create(model=MODEL, input=result, previous_response_id=first.id)

    assert server.received[1].body["messages"][1]["reasoning_content"] == "hm"
    assert server.received[2].body["messages"][1].keys() == {"role", "content", "tool_calls"}
