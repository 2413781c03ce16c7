"""Asking in the Responses and the Messages API, where a server tells more than a text."""

import json
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

from tests.clients.installed import CLIENTS, ROOT
from tests.clients.running import environment
from tests.proxy.api.messages.asking import message
from tests.proxy.api.test_described_calls import wrong
from tests.proxy.running import RunningProxy
from tests.proxy.wire import Wired, exchange

MODEL, SITES = "mine/tiny", "gpt-4o-mini-helper"
TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
THINKING: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
OURS: Any = {"name": "look", "input_schema": {"type": "object", "properties": {}}}


async def responded(proxy: RunningProxy, **fields: Any) -> Any:
    """The last event's response, whose events are as described and agree with each other."""
    body = {"model": MODEL, "input": "hi", "stream": True, **fields}
    events = (await exchange(proxy.url, "POST", "/v1/responses", body)).data
    assert wrong("ResponseEvent", events) == []
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == events[-1]["response"]["output"]
    places = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert places == list(range(len(done)))
    return events[-1]["response"]


async def messaged(proxy: RunningProxy, *messages: Any, stream: bool = True, status: int = 200, **fields: Any) -> Wired:
    """An answer of the Messages API, whose events are as described."""
    sent = messages or ({"role": "user", "content": "hi"},)
    body = {"model": MODEL, "max_tokens": 100, "messages": list(sent), "stream": stream, **fields}
    answer = await exchange(proxy.url, "POST", "/v1/messages", body)
    assert answer.status == status, answer.body
    if status != 200:
        return answer
    if stream:
        assert wrong("MessageEvent", answer.data) == []
    else:
        assert wrong("AnthropicMessage", [message(answer)]) == []
    return answer


async def sdk(served: RunningProxy, script: str, directory: Path) -> Any:
    """What a script of a real SDK's tells, in a process of its own."""
    command = (CLIENTS.python, ROOT / "tests" / "clients" / "scripts" / script, served.url, MODEL)
    process = await create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, cwd=directory, env=environment(directory)
    )
    told, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(told)
