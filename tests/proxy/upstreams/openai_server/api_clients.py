"""Send requests to the Responses and the Messages API, and check their answers against the OpenAPI document."""

import json
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from tests.clients.installed import CLIENTS, ROOT
from tests.clients.running import environment
from tests.proxy.api.messages.messages_client import message
from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.wire import WireResponse, exchange

MODEL, SITES = "mine/tiny", "gpt-4o-mini-helper"
TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
THINKING: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
OURS: Any = {"name": "look", "input_schema": {"type": "object", "properties": {}}}


async def responded(proxy: RunningProxy, **fields: Any) -> Any:
    """Return the response of the last event; all events must match the document and each other."""
    body = {"model": MODEL, "input": "hi", "stream": True, **fields}
    events = (await exchange(proxy.url, "POST", "/v1/responses", body)).data
    assert invalid_values("ResponseEvent", events) == []
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == events[-1]["response"]["output"]
    indexes = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert indexes == list(range(len(done)))
    return events[-1]["response"]


async def messaged(
    proxy: RunningProxy, *messages: Any, stream: bool = True, status: int = 200, **fields: Any
) -> WireResponse:
    """Return an answer of the Messages API; its events must match the document."""
    sent = messages or ({"role": "user", "content": "hi"},)
    body = {"model": MODEL, "max_tokens": 100, "messages": list(sent), "stream": stream, **fields}
    answer = await exchange(proxy.url, "POST", "/v1/messages", body)
    assert answer.status == status, answer.body
    if status != 200:
        return answer
    if stream:
        assert invalid_values("MessageEvent", answer.data) == []
    else:
        assert invalid_values("AnthropicMessage", [message(answer)]) == []
    return answer


async def sdk(gateway: RunningProxy, script: str, directory: Path) -> Any:
    """Run a script of a real SDK in a process of its own, and return the JSON that it prints."""
    command = (CLIENTS.python, ROOT / "tests" / "clients" / "scripts" / script, gateway.url, MODEL)
    process = await create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, cwd=directory, env=environment(directory)
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)
