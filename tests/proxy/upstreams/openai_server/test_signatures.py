"""Signatures that servers want back with a call's result: Google's on the call, OpenRouter's on its message."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.chat.extras import CALL_SIGNATURE, DETAILS
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.api.messages.messages_client import message
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, OURS, SITES, THINKING, TOOL, messaged, responded
from tests.site import SimulatedSite

USER: Any = {"role": "user", "content": "look"}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "look"}}
EXTRA = {"google": {"thought_signature": "c2ln+/=é"}}
PARTS = [
    {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "index": 0},
    {"type": "reasoning.encrypted", "data": "YWJj", "id": "tool_1", "index": 1},
]
Turn = Callable[[RunningProxy], Awaitable[None]]


def two_calls(extra: Any = None, parts: Any = None, **between: Any) -> bytes:
    """Two calls, of which the first one is signed."""
    deltas: list[Any] = [{"reasoning": "hm", DETAILS: [part]} for part in parts or ()]
    deltas += [{"content": "See: ", **between}]
    for index in range(2):
        call = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": "look"}}
        deltas.append({"tool_calls": [{**call, **({CALL_SIGNATURE: extra} if extra and not index else {})}]})
        deltas.append({"tool_calls": [{"index": index, "function": {"arguments": "{}"}}]})
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()


async def by_chat(gateway: RunningProxy) -> None:
    first: Any = await gateway.openai.chat.completions.create(model=MODEL, messages=[USER], tools=[CHAT_TOOL])
    assert invalid_values("ChatCompletion", [first.model_dump(exclude_unset=True)]) == []
    told: Any = first.choices[0].message.model_dump(exclude_unset=True)
    results: Any = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in told["tool_calls"]]
    await gateway.openai.chat.completions.create(model=MODEL, messages=[USER, told, *results], tools=[CHAT_TOOL])


async def by_chat_with_a_conversation(gateway: RunningProxy) -> None:
    conversation = (await gateway.openai.conversations.create()).id
    fields: Any = {"tools": [CHAT_TOOL], "conversation_id": conversation, "model": MODEL}
    first = await gateway.chat("look", **fields)
    calls = first.body["choices"][0]["message"]["tool_calls"]
    await gateway.chat(*({"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in calls), **fields)


def results_of(response: Any) -> list[Any]:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    return [{"type": "function_call_output", "call_id": call["call_id"], "output": "seen"} for call in calls]


async def by_responses(gateway: RunningProxy) -> None:
    first = await responded(gateway, tools=[TOOL], store=False)
    await responded(gateway, tools=[TOOL], store=False, input=[USER, *first["output"], *results_of(first)])


async def by_whole_responses(gateway: RunningProxy) -> None:
    raw = await gateway.openai.responses.create(model=MODEL, input="look", tools=[TOOL], store=False)
    first: Any = raw.to_dict()
    assert invalid_values("Response", [first]) == []
    ids = [item["id"] for item in first["output"]]
    assert len(set(ids)) == len(ids)
    await responded(gateway, tools=[TOOL], input=[USER, *first["output"], *results_of(first)])


async def by_stored_responses(gateway: RunningProxy) -> None:
    first = await responded(gateway, tools=[TOOL])
    await responded(gateway, tools=[TOOL], input=results_of(first), previous_response_id=first["id"])


async def by_named_items(gateway: RunningProxy) -> None:
    first = await responded(gateway, tools=[TOOL])
    named = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
    await responded(gateway, tools=[TOOL], input=[USER, *named, *results_of(first)])


async def answer(gateway: RunningProxy, content: list[Any], **fields: Any) -> None:
    calls = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "seen"} for call in calls]
    history = (USER, {"role": "assistant", "content": content}, {"role": "user", "content": results})
    await messaged(gateway, *history, tools=[OURS], **fields)


async def by_messages(gateway: RunningProxy) -> None:
    first = await messaged(gateway, USER, tools=[OURS], **THINKING)
    content: list[Any] = []
    for event in first.data:
        if event["type"] == "content_block_start":
            content.append(event["content_block"])
        elif event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
            content[-1]["text"] += event["delta"]["text"]
    await answer(gateway, content, **THINKING)


async def by_whole_messages(gateway: RunningProxy) -> None:
    await answer(gateway, message(await messaged(gateway, USER, tools=[OURS], stream=False))["content"])


WAYS: list[Turn] = [
    *(by_chat, by_chat_with_a_conversation),
    *(by_responses, by_whole_responses, by_stored_responses, by_named_items),
    *(by_messages, by_whole_messages),
]


def sent_back(server: OpenAiPeer) -> dict[str, Any]:
    """The message with the calls, as the server got it back."""
    assert len(server.received) == 2
    (found,) = [each for each in server.received[1].body["messages"] if each["role"] == "assistant"]
    assert [each["role"] for each in server.received[1].body["messages"]][-2:] == ["tool", "tool"]
    return dict(found)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_what_was_signed_with_a_call_goes_back_with_it(
    gateway: RunningProxy, server: OpenAiPeer, way: Turn
) -> None:
    server.answers = [two_calls(EXTRA), Answer(["done"])]

    await way(gateway)

    assert [call.get(CALL_SIGNATURE) for call in sent_back(server)["tool_calls"]] == [EXTRA, None]
    assert sent_back(server)["content"] == "See: "


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_what_was_signed_with_its_message_goes_back_with_that(
    gateway: RunningProxy, server: OpenAiPeer, way: Turn
) -> None:
    server.answers = [two_calls(parts=PARTS), Answer(["done"])]

    await way(gateway)

    assert sent_back(server)[DETAILS] == PARTS
    assert [set(call) for call in sent_back(server)["tool_calls"]] == [{"id", "type", "function"}] * 2


@pytest.mark.parametrize("name", ["tool_look_1", "call_0", ""])
async def test_a_call_keeps_its_id_which_may_be_signed(gateway: RunningProxy, server: OpenAiPeer, name: str) -> None:
    server.answers = [two_calls(EXTRA).replace(b"call_0", name.encode()), Answer(["done"])]

    await by_whole_messages(gateway)

    sent = server.received[1].body["messages"]
    ids = [call["id"] for call in sent_back(server)["tool_calls"]]
    assert ids == [result["tool_call_id"] for result in sent[-2:]]
    assert ids[0] == name or not name
    assert ids[0].startswith(("call_", "tool_"))


async def test_the_text_of_the_thoughts_goes_back_with_it(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [two_calls(EXTRA, PARTS), Answer(["done"])]

    await by_responses(gateway)

    assert (sent_back(server)["reasoning"], sent_back(server)[DETAILS]) == ("hmhm", PARTS)


async def test_what_is_nested_too_deep_is_left_out(gateway: RunningProxy, server: OpenAiPeer) -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}, CALL_SIGNATURE: deep}
    result = {"role": "tool", "tool_call_id": "c", "content": "seen"}

    answer = await gateway.chat(USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result, model=MODEL)

    assert answer.text == "served"
    assert CALL_SIGNATURE not in json.dumps(server.received[0].body)


@pytest.mark.parametrize("delta", [two_calls(EXTRA, PARTS), two_calls(parts=PARTS)], ids=["both", "with the message"])
async def test_a_signature_comes_once_before_any_call(gateway: RunningProxy, server: OpenAiPeer, delta: bytes) -> None:
    server.answers = [delta]

    response = await responded(gateway, tools=[TOOL])
    blocks = message(await messaged(gateway, USER, tools=[OURS], stream=False))["content"]

    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["reasoning", "message", "reasoning", "function_call", "function_call"]
    assert [item["id"].rpartition("_")[2] for item in response["output"] if item["type"] != "message"] == list("0101")
    assert [block["type"] for block in blocks] == ["text", "redacted_thinking", "tool_use", "tool_use"]


async def test_chats_are_streamed_it_with_the_call(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [two_calls(EXTRA)]

    stream = await gateway.openai.chat.completions.create(model=MODEL, messages=[USER], tools=[CHAT_TOOL], stream=True)
    chunks = [chunk.model_dump(exclude_unset=True) async for chunk in stream]

    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [piece.get(CALL_SIGNATURE) for piece in pieces] == [EXTRA, None, None, None]
    assert invalid_values("ChatCompletionChunk", chunks) == []


async def test_an_answer_of_text_has_no_signature(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["one"], thoughts="hm")]

    response = await responded(gateway)
    blocks = message(await messaged(gateway, **THINKING, stream=False))["content"]

    assert [item.get("encrypted_content") for item in response["output"]] == [None, None]
    assert [block["type"] for block in blocks] == ["thinking", "text"]


async def test_thoughts_that_are_not_shown_go_back_all_the_same(gateway: RunningProxy, server: OpenAiPeer) -> None:
    """As Claude Code asks for them; without them DeepSeek's servers refuse what a call gave."""
    hidden: Any = {"thinking": {"type": "adaptive", "display": "omitted"}}
    server.answers = [Answer([], thoughts="hm", calls=[("look", "{}"), ("look", "{}")]), Answer(["done"])]

    content = message(await messaged(gateway, USER, tools=[OURS], stream=False, **hidden))["content"]
    await answer(gateway, content, **hidden)

    assert [block["type"] for block in content] == ["redacted_thinking", "tool_use", "tool_use"]
    assert sent_back(server)["reasoning_content"] == "hm"


async def test_there_is_no_signature_where_nothing_is_signed(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [two_calls(parts=[{"type": "reasoning.text", "text": "hm", "signature": None, "index": 0}])]

    response = await responded(gateway, tools=[TOOL])
    blocks = message(await messaged(gateway, USER, tools=[OURS], stream=False, **THINKING))["content"]

    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]


async def test_signatures_reach_neither_a_site_nor_its_fallback_server(
    gateway: RunningProxy, server: OpenAiPeer, site: SimulatedSite
) -> None:
    server.answers = [two_calls(EXTRA, PARTS), Answer(["done"])]
    first = await responded(gateway, tools=[TOOL])
    params: Any = {"model": SITES, "input": results_of(first), "previous_response_id": first["id"]}
    await gateway.openai.responses.create(**params)
    told_site = str([call.messages for call in site.model_calls])
    site.behaviour.ajax_status = 500
    await gateway.openai.responses.create(**params)

    assert "look" in told_site
    for secret in ("c2ln", "YWJj"):
        assert secret not in told_site
        assert secret not in json.dumps(server.received[1].body)


@pytest.mark.parametrize("field", [f"tool_calls[0].{CALL_SIGNATURE}", DETAILS])
async def test_a_server_that_does_not_know_it_is_asked_without(
    gateway: RunningProxy, server: OpenAiPeer, field: str
) -> None:
    complaint = {"error": {"message": f"Unknown parameter: 'messages[1].{field}'."}}
    server.answers = [two_calls(EXTRA, PARTS), HttpError(400, complaint), Answer(["done"])]
    first = await responded(gateway, tools=[TOOL])

    second = await responded(gateway, tools=[TOOL], input=results_of(first), previous_response_id=first["id"])

    assert second["status"] == "completed"
    for name in (CALL_SIGNATURE, DETAILS):
        assert [name in json.dumps(request.body) for request in server.received] == [False, True, False]


@pytest.mark.parametrize("strange", ["gAAAAABo", "e30=", "W10=", "é", "eyJleHRyYV9jb250ZW50IjogNX0=", 5, None])
async def test_foreign_reasoning_is_left_out(gateway: RunningProxy, server: OpenAiPeer, strange: Any) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": strange}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
    block = {"type": "redacted_thinking", "data": strange}
    used = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}

    await responded(gateway, input=[USER, thought, call, result], tools=[TOOL])
    await answer(gateway, [block, used])

    for request in server.received:
        assert request.body["messages"][1].keys() <= {"role", "content", "tool_calls"}
        assert request.body["messages"][1]["tool_calls"][0].keys() == {"id", "type", "function"}


@pytest.mark.parametrize(
    "between", [USER, {"type": "function_call_output", "call_id": "call_8", "output": "seen"}], ids=["user", "result"]
)
async def test_a_signature_is_not_reused_in_a_later_answer(
    gateway: RunningProxy, server: OpenAiPeer, between: Any
) -> None:
    server.answers = [two_calls(EXTRA), Answer(["done"])]
    first = await responded(gateway, tools=[TOOL], store=False)
    signed = [item for item in first["output"] if item["type"] == "reasoning"]
    call = {"type": "function_call", "call_id": "call_9", "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_9", "output": "seen"}

    await responded(gateway, input=[USER, *signed, between, call, result], tools=[TOOL])

    assert len(signed) == 1
    assert CALL_SIGNATURE not in json.dumps(server.received[1].body)
