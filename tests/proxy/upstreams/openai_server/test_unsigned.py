"""Calls that come back without what Google's servers signed of them, which these refuse."""

from proxy.chat.extras import WITH_CALL
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
    told = [[call.get(WITH_CALL) for call in asked.body["messages"][1]["tool_calls"]] for asked in server.asked]
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
    assert [asked.body["messages"][1]["tool_calls"][0][WITH_CALL] for asked in server.asked[1:]] == [EXTRA, EXTRA]
