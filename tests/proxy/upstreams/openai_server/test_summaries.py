"""Summaries by a server: they have no calls and no thoughts, and a failure is no summary."""

import json
from typing import Any

import pytest

from proxy.api.opaque import decode_summary
from tests.openai_server import Answer, HttpError, OpenAiPeer
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
async def test_only_the_summary_is_returned(end: str, stream: bool, gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [Answer(["Done: ", "parser.py"], calls=[("shell", "{}")], thoughts="hm", end=end)]
    answer = await exchange(gateway.url, "POST", "/v1/responses", {**BODY, "stream": stream})
    done = answer.data[-1]["response"] if stream else json.loads(answer.body)
    sent = server.received[0].body

    assert (sent["tools"][0]["function"]["name"], sent["tool_choice"]) == ("shell", "none")
    assert not {"response_format", "max_tokens", "max_completion_tokens"} & set(sent)
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool", "user"]
    assert done["status"] == "completed"
    assert [decode_summary(item["encrypted_content"]) for item in done["output"]] == ["Done: parser.py"]
    if stream:
        assert {event["item"]["type"] for event in answer.data if "item" in event} == {"compaction"}


@pytest.mark.parametrize(
    "reply",
    [
        Answer(["Half of "], end="content_filter"),
        Answer(["Half of "], error={"error": {"message": "broken", "code": "server_error"}}),
        Answer([], calls=[("shell", "{}")]),
        Answer([], thoughts="hm"),
        HttpError(500, {"error": {"message": "broken"}}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_no_summary(reply: Any, stream: bool, gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [reply]
    answer = await exchange(gateway.url, "POST", "/v1/responses", {**BODY, "stream": stream})

    assert answer.status >= 500 or answer.data[-1]["type"] == "response.failed"
    assert b'"status":"completed"' not in answer.body
