"""Calls of other models, which servers refuse to be told as they are: without what Google's signed of them, or by ids
that Mistral's would not have given, or without thoughts."""

from base64 import b64encode
from typing import Any

import pytest

from proxy.chat.extras import CALL_SIGNATURE
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, TOOL, messaged, responded
from tests.proxy.upstreams.openai_server.test_signatures import CHAT_TOOL, EXTRA, PARTS, USER, two_calls

MISSED = [{"error": {"code": 400, "message": "Function call is missing a thought_signature.", "status": "INVALID"}}]


async def test_an_unsigned_call_is_marked_for_servers_that_need_a_signature(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    """Many clients send back of a call what they know, and calls of other models were never signed."""
    server.answers = [HttpError(400, MISSED), Answer(["done"])]
    calls = [{"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}} for name in "ab"]
    results = [{"role": "tool", "tool_call_id": name, "content": "seen"} for name in "ab"]
    history = (USER, {"role": "assistant", "content": None, "tool_calls": calls}, *results)

    answers = [await gateway.chat(*history, model=MODEL, tools=[CHAT_TOOL]) for _ in range(2)]

    assert [answer.text for answer in answers] == ["done", "done"]
    sent = [
        [call.get(CALL_SIGNATURE) for call in request.body["messages"][1]["tool_calls"]] for request in server.received
    ]
    dummy = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    assert sent == [[None, None], [dummy, None], [dummy, None]]


@pytest.mark.parametrize(
    ("calls", "signature"), [(two_calls(EXTRA), EXTRA), (two_calls(parts=PARTS), None)], ids=["itself", "its message"]
)
async def test_a_signed_call_keeps_its_signature_there_too(
    gateway: RunningProxy, server: OpenAiPeer, calls: bytes, signature: Any
) -> None:
    server.answers = [calls, HttpError(400, MISSED)]
    first = await gateway.chat(USER, model=MODEL, tools=[CHAT_TOOL])
    message = first.body["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in message["tool_calls"]]

    answer = await gateway.chat(USER, message, *results, model=MODEL, tools=[CHAT_TOOL])

    assert (answer.status, answer.body["error"]["message"]) == (
        400,
        "The server 'mine' refused: Function call is missing a thought_signature. (HTTP 400)",
    )
    sent = [request.body["messages"][1]["tool_calls"][0].get(CALL_SIGNATURE) for request in server.received[1:]]
    assert sent == [signature, signature]


async def test_details_that_are_no_parts_sign_nothing(gateway: RunningProxy, server: OpenAiPeer) -> None:
    sealed = b64encode(b'{"reasoning_details": ["abc"]}').decode()
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed}
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}

    assert (await responded(gateway, input=[USER, thought, call, result], tools=[TOOL]))["status"] == "completed"
    assert "reasoning_details" not in server.received[0].body["messages"][1]


@pytest.mark.parametrize("call_id", ["", "call_of_another_model"])
async def test_call_ids_are_rewritten_for_servers_that_refuse_others(
    gateway: RunningProxy, server: OpenAiPeer, call_id: str
) -> None:
    complaint = "Tool call id was call_1_0 but must be a-z, A-Z, 0-9, with a length of 9."
    server.answers = [HttpError(400, {"object": "error", "message": complaint, "code": "3280"}), Answer(["done"])]
    calls = [
        {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for name in ("Ab3" * 3, call_id)
    ]
    results = [{"role": "tool", "tool_call_id": name, "content": "seen"} for name in ("Ab3" * 3, call_id)]
    history = (USER, {"role": "assistant", "content": None, "tool_calls": calls}, *results)

    answers = [await gateway.chat(*history, model=MODEL, tools=[CHAT_TOOL]) for _ in range(2)]

    assert [answer.text for answer in answers] == ["done", "done"]
    assert len(server.received) == 3
    for request in server.received[1:]:
        _, reply, *messages = request.body["messages"]
        kept, generated = (call["id"] for call in reply["tool_calls"])
        assert [result["tool_call_id"] for result in messages] == [kept, generated]
        assert kept == "Ab3" * 3
        assert (len(generated), generated.isalnum(), generated.isascii()) == (9, True, True)


@pytest.mark.parametrize(
    "complaint",
    [
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",  # Moonshot's
        "The `reasoning_content` in the thinking mode must be passed back to the API.",  # DeepSeek's
        "Missing `reasoning_content` field in the assistant message at message index 1",
    ],
)
async def test_answers_of_others_have_empty_thoughts_for_servers_that_ask_for_some(
    gateway: RunningProxy, server: OpenAiPeer, complaint: str
) -> None:
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer(["done"])]
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "a", "content": "seen"}
    said = {"role": "assistant", "content": "Seen.", "reasoning_content": "hm"}
    history = (USER, {"role": "assistant", "content": None, "tool_calls": [call]}, result, said, USER)

    answers = [await gateway.chat(*history, model=MODEL, tools=[CHAT_TOOL], reasoning_effort="high") for _ in range(2)]

    assert [answer.text for answer in answers] == ["done", "done"]
    sent = [
        [(each.get("reasoning_content"), each["content"]) for each in request.body["messages"][1:4]]
        for request in server.received
    ]
    told = [("", ""), (None, "seen"), ("hm", "Seen.")]
    assert sent == [[(None, None), *told[1:]], told, told]
    assert all(request.body["reasoning_effort"] == "high" for request in server.received)


async def test_an_effort_of_anthropics_is_kept_beside_empty_thoughts(gateway: RunningProxy, server: OpenAiPeer) -> None:
    complaint = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1"
    server.answers = [HttpError(400, {"error": {"message": complaint}}), Answer(["done"])]
    history = (USER, {"role": "assistant", "content": "Seen."}, USER)

    await messaged(gateway, *history, thinking={"type": "enabled", "budget_tokens": 5000})

    again = server.received[1].body
    assert (again["reasoning_effort"], again["messages"][1]["reasoning_content"]) == ("high", "")
