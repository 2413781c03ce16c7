"""Thoughts before calls are kept with the answer, and go back to the server where a client only names it; and where it
sends back no more of them than a summary, or what it cannot read."""

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from tests.openai_server import OpenAiPeer, Refused, Said
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.thoughts import MODEL, SITES, TOOL
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

USER: Any = {"role": "user", "content": "look"}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "look"}}


def called() -> list[Any]:
    """A call after thoughts, and the answer to its result."""
    return [
        Said([], thoughts="hm", thinks_in="reasoning", calls=[("look", "{}")]),
        Said(["done"], thoughts="so", thinks_in="reasoning"),
    ]


async def first_of(served: RunningProxy, **fields: Any) -> tuple[Any, list[Any]]:
    """A stored response with a call, and what a client says next."""
    stream = await served.openai.responses.create(model=MODEL, input="look", tools=[TOOL], stream=True, **fields)
    response: Any = [event async for event in stream][-1].response
    (call,) = [item for item in response.output if item.type == "function_call"]
    return response, [{"type": "function_call_output", "call_id": call.call_id, "output": "seen"}]


def thoughts_told(server: OpenAiPeer, request: int = -1) -> list[Any]:
    return [message.get("reasoning") for message in server.asked[request].body["messages"]]


async def test_they_go_back_where_the_response_before_is_named(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = called()
    first, result = await first_of(served)
    second = await served.openai.responses.create(model=MODEL, input=result, previous_response_id=first.id)
    await served.openai.responses.create(model=MODEL, input="and now", previous_response_id=second.id)

    assert thoughts_told(server, 1) == [None, "hm", None]
    assert thoughts_told(server, 2) == [None, "hm", None, None, None]  # the second had no calls


@pytest.mark.parametrize(
    "named", [lambda output: [output[-1]], lambda output: output], ids=["by its call", "by all its items"]
)
async def test_they_go_back_where_items_are_named(
    served: RunningProxy, server: OpenAiPeer, named: Callable[[list[Any]], list[Any]]
) -> None:
    server.answers = called()
    first, result = await first_of(served)
    items: list[Any] = [{"type": "item_reference", "id": item.id} for item in named(first.output)]
    await served.openai.responses.create(model=MODEL, input=[USER, *items, *result])

    assert thoughts_told(server) == [None, "hm", None]


async def test_they_go_back_in_a_conversation(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = called()
    conversation = (await served.openai.conversations.create()).id
    _, result = await first_of(served, conversation=conversation)
    await served.openai.responses.create(model=MODEL, input=result, conversation=conversation)
    items = [item async for item in served.openai.conversations.items.list(conversation)]

    assert thoughts_told(server) == [None, "hm", None]
    assert "reasoning" not in {item.type for item in items}


async def test_they_go_back_in_a_chat_that_goes_on_by_its_name(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = called()
    conversation = (await served.openai.conversations.create()).id
    fields: Any = {"tools": [CHAT_TOOL], "conversation_id": conversation, "model": MODEL}
    first = await served.chat("look", **fields)
    (call,) = first.body["choices"][0]["message"]["tool_calls"]
    await served.chat({"role": "tool", "tool_call_id": call["id"], "content": "seen"}, **fields)

    assert thoughts_told(server) == [None, "hm", None]


async def test_nobody_else_is_told_them(served: RunningProxy, server: OpenAiPeer, site: SimulatedSite) -> None:
    server.answers = called()
    first, result = await first_of(served)
    asked: Any = {"model": SITES, "input": result, "previous_response_id": first.id}
    await served.openai.responses.create(**asked)
    told_site = str([call.messages for call in site.model_calls])
    site.behaviour.ajax_status = 500
    await served.openai.responses.create(**asked)

    assert "look" in told_site
    assert "hm" not in told_site
    assert len(server.asked) == 2
    assert thoughts_told(server) == [None, None, None]


async def test_where_a_summary_is_asked_for_they_stand_there(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said([], thoughts="hm, let me see", calls=[("look", "{}")])]
    asked: Any = {"model": MODEL, "tools": [TOOL], "reasoning": {"summary": "auto"}}

    stream = await served.openai.responses.create(**asked, input="hi", stream=True)
    events: list[Any] = [event async for event in stream]
    whole = await served.openai.responses.create(**asked, input="hi")

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
        await served.openai.responses.create(**asked, input=sent)
        assert server.asked[-1].body["messages"][1]["reasoning_content"] == "hm, let me see"


@pytest.mark.parametrize("stream", [False, True])
async def test_they_come_back_in_what_no_client_reads_where_that_was_asked_for(
    served: RunningProxy, server: OpenAiPeer, stream: bool
) -> None:
    server.answers = [Said([], thoughts="hm", calls=[("look", "{}")])]
    asked = {"tools": [TOOL], "include": ["reasoning.encrypted_content"], "store": False, "stream": stream}
    answer = await exchange(served.url, "POST", "/v1/responses", {"model": MODEL, "input": "hi", **asked})
    thought, call = (answer.data[-1]["response"] if stream else json.loads(answer.body))["output"]

    sealed = {"type": "reasoning", "summary": [], "encrypted_content": thought["encrypted_content"]}
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "seen"}
    sent = [{"role": "user", "content": "hi"}, sealed, call, result]
    await exchange(served.url, "POST", "/v1/responses", {"model": MODEL, "input": sent, **asked})

    assert server.asked[-1].body["messages"][1]["reasoning_content"] == "hm"


async def test_thoughts_in_parts_of_the_content_are_told_as_such_and_go_back_so(
    served: RunningProxy, server: OpenAiPeer
) -> None:
    """As Mistral's servers send them, which refuse any other field for them."""
    thinking: Any = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    call = {"index": 0, "id": "abcdefgh1", "function": {"name": "look", "arguments": "{}"}}
    deltas: list[Any] = [{"content": thinking}, {"content": [{"type": "text", "text": "so"}]}, {"tool_calls": [call]}]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    server.answers = ["".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode(), Said(["done"])]
    first = (await served.chat("look", model=MODEL, tools=[CHAT_TOOL])).body["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "abcdefgh1", "content": "seen"}
    await served.chat(USER, first, result, model=MODEL, tools=[CHAT_TOOL])

    assert (first["reasoning_content"], first["content"]) == ("hm", "so")
    told = server.asked[1].body["messages"][1]
    assert (told["content"], told.keys()) == (
        [*thinking, {"type": "text", "text": "so"}],
        {"role", "content", "tool_calls"},
    )


async def test_they_are_left_out_for_a_server_that_refuses_them(served: RunningProxy, server: OpenAiPeer) -> None:
    place = ["body", "messages", 1, "assistant", "reasoning_content"]
    detail = [{"type": "extra_forbidden", "loc": place, "msg": "Extra inputs are not permitted", "input": "hm"}]
    server.answers = [Refused(422, {"object": "error", "message": {"detail": detail}}), Said(["done"], thoughts="so")]
    said = {"role": "assistant", "content": "so", "reasoning_content": "hm"}

    assert [(await served.chat(USER, said, USER, model=MODEL)).text for _ in range(2)] == ["done", "done"]
    assert [asked.body["messages"][1] for asked in server.asked[1:]] == [{"role": "assistant", "content": "so"}] * 2
