"""Summaries that a server gives: no call is allowed in them, thoughts are no part of them, and a failure is none."""

import json
from typing import Any

import pytest

from proxy.api.opaque import decode_summary
from tests.openai_server import OpenAiPeer, Refused, Said
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange

TOOL = {"type": "function", "name": "shell", "parameters": {"type": "object"}}
BODY: dict[str, Any] = {
    "model": "mine/tiny",
    "tools": [TOOL],
    "max_output_tokens": 1,
    "text": {"format": {"type": "json_object"}},
    "input": [
        {"role": "user", "content": "Mend it"},
        {"type": "function_call", "call_id": "a", "name": "shell", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "parser.py"},
        {"type": "compaction_trigger"},
    ],
}


@pytest.mark.parametrize("end", ["stop", "length"])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_summary_alone_is_told(end: str, stream: bool, served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Said(["Done: ", "parser.py"], calls=[("shell", "{}")], thoughts="hm", end=end)]
    answer = await exchange(served.url, "POST", "/v1/responses", {**BODY, "stream": stream})
    done = answer.data[-1]["response"] if stream else json.loads(answer.body)
    told = server.asked[0].body

    assert (told["tools"][0]["function"]["name"], told["tool_choice"]) == ("shell", "none")
    assert not {"response_format", "max_tokens", "max_completion_tokens"} & set(told)
    assert [message["role"] for message in told["messages"]] == ["user", "assistant", "tool", "user"]
    assert done["status"] == "completed"
    assert [decode_summary(item["encrypted_content"]) for item in done["output"]] == ["Done: parser.py"]
    if stream:
        assert {event["item"]["type"] for event in answer.data if "item" in event} == {"compaction"}


@pytest.mark.parametrize(
    "said",
    [
        Said(["Half of "], end="content_filter"),
        Said(["Half of "], error={"error": {"message": "broken", "code": "server_error"}}),
        Said([], calls=[("shell", "{}")]),
        Said([], thoughts="hm"),
        Refused(500, {"error": {"message": "broken"}}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_no_summary(said: Any, stream: bool, served: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [said]
    answer = await exchange(served.url, "POST", "/v1/responses", {**BODY, "stream": stream})

    assert answer.status >= 500 or answer.data[-1]["type"] == "response.failed"
    assert b'"status":"completed"' not in answer.body
