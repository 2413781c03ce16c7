"""What servers sign of a call they want back with its result: Google's with the call, OpenRouter with its message."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.chat.extras import CALL_SIGNATURE, DETAILS
from tests.openai_server import OpenAiPeer, Refused, Said
from tests.proxy.api.messages.asking import message
from tests.proxy.api.test_described_calls import wrong
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.thoughts import MODEL, OURS, SITES, THINKING, TOOL, messaged, responded
from tests.site import SimulatedSite

USER: Any = {"role": "user", "content": "look"}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "look"}}
EXTRA = {"google": {"thought_signature": "c2ln+/=é"}}
PARTS = [
    {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "index": 0},
    {"type": "reasoning.encrypted", "data": "YWJj", "id": "tool_1", "index": 1},
]
Turn = Callable[[RunningProxy], Awaitable[None]]


def calling(extra: Any = None, parts: Any = None, **between: Any) -> bytes:
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


async def by_chat(served: RunningProxy) -> None:
    first: Any = await served.openai.chat.completions.create(model=MODEL, messages=[USER], tools=[CHAT_TOOL])
    assert wrong("ChatCompletion", [first.model_dump(exclude_unset=True)]) == []
    told: Any = first.choices[0].message.model_dump(exclude_unset=True)
    results: Any = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in told["tool_calls"]]
    await served.openai.chat.completions.create(model=MODEL, messages=[USER, told, *results], tools=[CHAT_TOOL])


async def by_chat_with_a_conversation(served: RunningProxy) -> None:
    conversation = (await served.openai.conversations.create()).id
    fields: Any = {"tools": [CHAT_TOOL], "conversation_id": conversation, "model": MODEL}
    first = await served.chat("look", **fields)
    calls = first.body["choices"][0]["message"]["tool_calls"]
    await served.chat(*({"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in calls), **fields)


def results_of(response: Any) -> list[Any]:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    return [{"type": "function_call_output", "call_id": call["call_id"], "output": "seen"} for call in calls]


async def by_responses(served: RunningProxy) -> None:
    first = await responded(served, tools=[TOOL], store=False)
    await responded(served, tools=[TOOL], store=False, input=[USER, *first["output"], *results_of(first)])


async def by_whole_responses(served: RunningProxy) -> None:
    raw = await served.openai.responses.create(model=MODEL, input="look", tools=[TOOL], store=False)
    first: Any = raw.to_dict()
    assert wrong("Response", [first]) == []
    ids = [item["id"] for item in first["output"]]
    assert len(set(ids)) == len(ids)
    await responded(served, tools=[TOOL], input=[USER, *first["output"], *results_of(first)])


async def by_stored_responses(served: RunningProxy) -> None:
    first = await responded(served, tools=[TOOL])
    await responded(served, tools=[TOOL], input=results_of(first), previous_response_id=first["id"])


async def by_named_items(served: RunningProxy) -> None:
    first = await responded(served, tools=[TOOL])
    named = [{"type": "item_reference", "id": item["id"]} for item in first["output"]]
    await responded(served, tools=[TOOL], input=[USER, *named, *results_of(first)])


async def answered(served: RunningProxy, content: list[Any], **fields: Any) -> None:
    calls = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "seen"} for call in calls]
    history = (USER, {"role": "assistant", "content": content}, {"role": "user", "content": results})
    await messaged(served, *history, tools=[OURS], **fields)


async def by_messages(served: RunningProxy) -> None:
    first = await messaged(served, USER, tools=[OURS], **THINKING)
    content: list[Any] = []
    for event in first.data:
        if event["type"] == "content_block_start":
            content.append(event["content_block"])
        elif event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
            content[-1]["text"] += event["delta"]["text"]
    await answered(served, content, **THINKING)


async def by_whole_messages(served: RunningProxy) -> None:
    await answered(served, message(await messaged(served, USER, tools=[OURS], stream=False))["content"])


WAYS: list[Turn] = [
    *(by_chat, by_chat_with_a_conversation),
    *(by_responses, by_whole_responses, by_stored_responses, by_named_items),
    *(by_messages, by_whole_messages),
]


def told(server: OpenAiPeer) -> dict[str, Any]:
    """The message with the calls, as the server was told it the second time."""
    assert len(server.asked) == 2
    (found,) = [each for each in server.asked[1].body["messages"] if each["role"] == "assistant"]
    assert [each["role"] for each in server.asked[1].body["messages"]][-2:] == ["tool", "tool"]
    return dict(found)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_what_was_signed_with_a_call_goes_back_with_it(
    served: RunningProxy, server: OpenAiPeer, way: Turn
) -> None:
    server.answers = [calling(EXTRA), Said(["done"])]

    await way(served)

    assert [call.get(CALL_SIGNATURE) for call in told(server)["tool_calls"]] == [EXTRA, None]
    assert told(server)["content"] == "See: "


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_what_was_signed_with_its_message_goes_back_with_that(
    served: RunningProxy, server: OpenAiPeer, way: Turn
) -> None:
    server.answers = [calling(parts=PARTS), Said(["done"])]

    await way(served)

    assert told(server)[DETAILS] == PARTS
    assert [set(call) for call in told(server)["tool_calls"]] == [{"id", "type", "function"}] * 2


@pytest.mark.parametrize("name", ["tool_look_1", "call_0", ""])
async def test_a_call_keeps_its_id_which_may_be_signed_too(served: RunningProxy, server: OpenAiPeer, name: str) -> None:
    server.answers = [calling(EXTRA).replace(b"call_0", name.encode()), Said(["done"])]

    await by_whole_messages(served)

    asked = server.asked[1].body["messages"]
    ids = [call["id"] for call in told(server)["tool_calls"]]
    assert ids == [result["tool_call_id"] for result in asked[-2:]]
    assert ids[0] == name or not name
    assert ids[0].startswith(("call_", "tool_"))


async def test_the_text_of_the_thoughts_goes_back_with_it(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [calling(EXTRA, PARTS), Said(["done"])]

    await by_responses(served)

    assert (told(server)["reasoning"], told(server)[DETAILS]) == ("hmhm", PARTS)


async def test_what_is_nested_too_deep_is_left_out(served: RunningProxy, server: OpenAiPeer) -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}, CALL_SIGNATURE: deep}
    result = {"role": "tool", "tool_call_id": "c", "content": "seen"}

    answer = await served.chat(USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result, model=MODEL)

    assert answer.text == "served"
    assert CALL_SIGNATURE not in json.dumps(server.asked[0].body)


@pytest.mark.parametrize("said", [calling(EXTRA, PARTS), calling(parts=PARTS)], ids=["both", "with the message"])
async def test_it_comes_once_before_the_first_call(served: RunningProxy, server: OpenAiPeer, said: bytes) -> None:
    server.answers = [said]

    response = await responded(served, tools=[TOOL])
    blocks = message(await messaged(served, USER, tools=[OURS], stream=False))["content"]

    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["reasoning", "message", "reasoning", "function_call", "function_call"]
    assert [item["id"].rpartition("_")[2] for item in response["output"] if item["type"] != "message"] == list("0101")
    assert [block["type"] for block in blocks] == ["text", "redacted_thinking", "tool_use", "tool_use"]


async def test_chats_are_streamed_it_with_the_call(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [calling(EXTRA)]

    stream = await served.openai.chat.completions.create(model=MODEL, messages=[USER], tools=[CHAT_TOOL], stream=True)
    chunks = [chunk.model_dump(exclude_unset=True) async for chunk in stream]

    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [piece.get(CALL_SIGNATURE) for piece in pieces] == [EXTRA, None, None, None]
    assert wrong("ChatCompletionChunk", chunks) == []


async def test_an_answer_in_words_has_nothing_of_it(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["one"], thoughts="hm")]

    response = await responded(served)
    blocks = message(await messaged(served, **THINKING, stream=False))["content"]

    assert [item.get("encrypted_content") for item in response["output"]] == [None, None]
    assert [block["type"] for block in blocks] == ["thinking", "text"]


async def test_thoughts_that_are_not_shown_go_back_all_the_same(served: RunningProxy, server: OpenAiPeer) -> None:
    """As Claude Code asks for them; without them DeepSeek's servers refuse what a call gave."""
    hidden: Any = {"thinking": {"type": "adaptive", "display": "omitted"}}
    server.answers = [Said([], thoughts="hm", calls=[("look", "{}"), ("look", "{}")]), Said(["done"])]

    content = message(await messaged(served, USER, tools=[OURS], stream=False, **hidden))["content"]
    await answered(served, content, **hidden)

    assert [block["type"] for block in content] == ["redacted_thinking", "tool_use", "tool_use"]
    assert told(server)["reasoning_content"] == "hm"


async def test_nothing_of_it_comes_where_nothing_is_signed(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [calling(parts=[{"type": "reasoning.text", "text": "hm", "signature": None, "index": 0}])]

    response = await responded(served, tools=[TOOL])
    blocks = message(await messaged(served, USER, tools=[OURS], stream=False, **THINKING))["content"]

    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]


async def test_neither_a_site_nor_the_server_behind_it_is_told(
    served: RunningProxy, server: OpenAiPeer, site: SimulatedSite
) -> None:
    server.answers = [calling(EXTRA, PARTS), Said(["done"])]
    first = await responded(served, tools=[TOOL])
    asked: Any = {"model": SITES, "input": results_of(first), "previous_response_id": first["id"]}
    await served.openai.responses.create(**asked)
    told_site = str([call.messages for call in site.model_calls])
    site.behaviour.ajax_status = 500
    await served.openai.responses.create(**asked)

    assert "look" in told_site
    for secret in ("c2ln", "YWJj"):
        assert secret not in told_site
        assert secret not in json.dumps(server.asked[1].body)


@pytest.mark.parametrize("field", [f"tool_calls[0].{CALL_SIGNATURE}", DETAILS])
async def test_a_server_that_does_not_know_it_is_asked_without(
    served: RunningProxy, server: OpenAiPeer, field: str
) -> None:
    complaint = {"error": {"message": f"Unknown parameter: 'messages[1].{field}'."}}
    server.answers = [calling(EXTRA, PARTS), Refused(400, complaint), Said(["done"])]
    first = await responded(served, tools=[TOOL])

    second = await responded(served, tools=[TOOL], input=results_of(first), previous_response_id=first["id"])

    assert second["status"] == "completed"
    for name in (CALL_SIGNATURE, DETAILS):
        assert [name in json.dumps(asked.body) for asked in server.asked] == [False, True, False]


@pytest.mark.parametrize("strange", ["gAAAAABo", "e30=", "W10=", "é", "eyJleHRyYV9jb250ZW50IjogNX0=", 5, None])
async def test_what_others_hid_is_left_out(served: RunningProxy, server: OpenAiPeer, strange: Any) -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": strange}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
    block = {"type": "redacted_thinking", "data": strange}
    used = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}

    await responded(served, input=[USER, thought, call, result], tools=[TOOL])
    await answered(served, [block, used])

    for asked in server.asked:
        assert asked.body["messages"][1].keys() <= {"role", "content", "tool_calls"}
        assert asked.body["messages"][1]["tool_calls"][0].keys() == {"id", "type", "function"}


@pytest.mark.parametrize(
    "between", [USER, {"type": "function_call_output", "call_id": "call_8", "output": "seen"}], ids=["user", "result"]
)
async def test_it_belongs_to_no_call_of_a_later_answer(served: RunningProxy, server: OpenAiPeer, between: Any) -> None:
    server.answers = [calling(EXTRA), Said(["done"])]
    first = await responded(served, tools=[TOOL], store=False)
    signed = [item for item in first["output"] if item["type"] == "reasoning"]
    call = {"type": "function_call", "call_id": "call_9", "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_9", "output": "seen"}

    await responded(served, input=[USER, *signed, between, call, result], tools=[TOOL])

    assert len(signed) == 1
    assert CALL_SIGNATURE not in json.dumps(server.asked[1].body)
