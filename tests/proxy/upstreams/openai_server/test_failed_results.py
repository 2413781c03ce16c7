"""Results of tools that failed: chat completions has no field for it, so their text says so."""

from typing import Any

import pytest

from tests.openai_server import OpenAiPeer
from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.openai_server.api_clients import MODEL, OURS, TOOL, messaged

CALL: Any = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]}
ASKED: Any = {"role": "user", "content": "Look."}


def result_of(server: OpenAiPeer) -> Any:
    """What the server was told that the tool returned."""
    return next(each["content"] for each in server.received[-1].body["messages"] if each["role"] == "tool")


@pytest.mark.parametrize(
    ("content", "failed", "told"),
    [
        ("no such file", True, "Error: no such file"),
        ("no such file", False, "no such file"),
        ("", True, "Error: "),
        ("Error: Exit code 1", True, "Error: Exit code 1"),
        ([{"type": "text", "text": "no such file"}], True, "Error: no such file"),
    ],
)
async def test_an_error_is_told_as_one(
    gateway: RunningProxy, server: OpenAiPeer, content: Any, told: str, *, failed: bool
) -> None:
    result: Any = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, "is_error": failed}
    await messaged(gateway, ASKED, CALL, {"role": "user", "content": [result]}, tools=[OURS])

    assert result_of(server) == told


async def test_a_failed_item_of_responses_is_told_as_an_error(gateway: RunningProxy, server: OpenAiPeer) -> None:
    items: Any = [
        ASKED,
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "no such file", "status": "failed"},
    ]
    await gateway.openai.responses.create(model=MODEL, input=items, tools=[TOOL])

    assert result_of(server) == "Error: no such file"


async def test_an_error_of_a_call_that_nobody_knows_is_told_as_one(gateway: RunningProxy, server: OpenAiPeer) -> None:
    items: Any = [ASKED, {"type": "function_call_output", "output": "no such file", "status": "failed"}]
    await gateway.openai.responses.create(model=MODEL, input=items)

    assert server.received[-1].texts[-1] == "Error: no such file"
