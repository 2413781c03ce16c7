"""Calls of other models, which servers refuse to be told as they are: without what Google's signed of them, or by ids
that Mistral's would not have given."""

import pytest

from proxy.chat.extras import CALL_SIGNATURE
from tests.openai_server import OpenAiPeer, Refused, Said
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.test_signed import CHAT_TOOL, EXTRA, USER, calling
from tests.proxy.upstreams.openai_server.thoughts import MODEL

MISSED = [{"error": {"code": 400, "message": "Function call is missing a thought_signature.", "status": "INVALID"}}]


async def test_a_call_without_it_is_told_as_such_to_who_misses_it(served: RunningProxy, server: OpenAiPeer) -> None:
    """Many clients send back of a call what they know, and calls of other models were never signed."""
    server.answers = [Refused(400, MISSED), Said(["done"])]
    calls = [{"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}} for name in "ab"]
    results = [{"role": "tool", "tool_call_id": name, "content": "seen"} for name in "ab"]
    history = (USER, {"role": "assistant", "content": None, "tool_calls": calls}, *results)

    answers = [await served.chat(*history, model=MODEL, tools=[CHAT_TOOL]) for _ in range(2)]

    assert [answer.text for answer in answers] == ["done", "done"]
    told = [[call.get(CALL_SIGNATURE) for call in asked.body["messages"][1]["tool_calls"]] for asked in server.asked]
    dummy = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    assert told == [[None, None], [dummy, None], [dummy, None]]


async def test_a_signed_call_is_told_as_it_is_there_too(served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [calling(EXTRA), Refused(400, MISSED)]
    first = await served.chat(USER, model=MODEL, tools=[CHAT_TOOL])
    told = first.body["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in told["tool_calls"]]

    answer = await served.chat(USER, told, *results, model=MODEL, tools=[CHAT_TOOL])

    assert (answer.status, answer.body["error"]["message"]) == (
        400,
        "The server 'mine' refused: Function call is missing a thought_signature. (HTTP 400)",
    )
    assert [asked.body["messages"][1]["tool_calls"][0][CALL_SIGNATURE] for asked in server.asked[1:]] == [EXTRA, EXTRA]


@pytest.mark.parametrize("own", ["", "call_of_another_model"])
async def test_the_id_of_a_call_is_told_as_the_server_makes_them_where_it_takes_no_other(
    served: RunningProxy, server: OpenAiPeer, own: str
) -> None:
    complaint = "Tool call id was call_1_0 but must be a-z, A-Z, 0-9, with a length of 9."
    server.answers = [Refused(400, {"object": "error", "message": complaint, "code": "3280"}), Said(["done"])]
    calls = [
        {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}} for name in ("Ab3" * 3, own)
    ]
    results = [{"role": "tool", "tool_call_id": name, "content": "seen"} for name in ("Ab3" * 3, own)]
    history = (USER, {"role": "assistant", "content": None, "tool_calls": calls}, *results)

    answers = [await served.chat(*history, model=MODEL, tools=[CHAT_TOOL]) for _ in range(2)]

    assert [answer.text for answer in answers] == ["done", "done"]
    assert len(server.asked) == 3
    for asked in server.asked[1:]:
        _, said, *told = asked.body["messages"]
        kept, made = (call["id"] for call in said["tool_calls"])
        assert [result["tool_call_id"] for result in told] == [kept, made]
        assert kept == "Ab3" * 3
        assert (len(made), made.isalnum(), made.isascii()) == (9, True, True)
