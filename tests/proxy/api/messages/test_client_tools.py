"""Tools that Anthropic defines and the client runs, which come without a schema: the model is told what they take."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import Answer, OpenAiPeer
from tests.proxy.api.messages.messages_client import message, play, send
from tests.proxy.running import RunningProxy, running_proxy
from tests.site import SimulatedSite

BASH = {"type": "bash_20250124", "name": "bash"}
EDITOR = {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 10_000}
OLD_EDITOR = {"type": "text_editor_20241022", "name": "str_replace_editor"}
MEMORY = {"type": "memory_20250818", "name": "memory", "cache_control": {"type": "ephemeral"}}
LISTED = {"command": "ls"}
CALLS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (BASH, LISTED),
    (EDITOR, {"command": "view", "path": "/a.py", "view_range": [1, -1]}),
    (EDITOR, {"command": "str_replace", "path": "/a.py", "old_str": "a", "new_str": ""}),
    (OLD_EDITOR, {"command": "insert", "path": "/a.py", "insert_line": 0, "insert_text": "a\n"}),
    (MEMORY, {"command": "create", "path": "/memories/a", "file_text": "b"}),
    (MEMORY, {"command": "rename", "old_path": "/memories/a", "new_path": "/memories/b"}),
]


@pytest.mark.parametrize(("tool", "given"), CALLS, ids=lambda value: value.get("name", value.get("command")))
async def test_a_tool_that_clients_run_is_called(
    tool: dict[str, Any], given: dict[str, Any], proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await play(proxy, site, {"calls": [[tool["name"], given]]}, tools=[tool])
    (call,) = message(answer)["content"]

    assert (call["type"], call["name"], call["input"]) == ("tool_use", tool["name"], given)
    assert "x-ignored-params" not in answer.headers


async def test_it_may_be_chosen(proxy: RunningProxy, site: SimulatedSite) -> None:
    choice = {"type": "tool", "name": "bash"}
    step = {"calls": [["bash", LISTED]], "forced": True}
    answer = message(await play(proxy, site, step, tools=[BASH, EDITOR], tool_choice=choice))

    assert [call["name"] for call in answer["content"]] == ["bash"]


async def test_a_server_is_sent_it_as_a_function(site: SimulatedSite, tmp_path: Path) -> None:
    async with OpenAiPeer() as peer, running_proxy(site, tmp_path, servers=f"mine={peer.base_url}") as proxy:
        await proxy.app[UPSTREAMS][1].discover()
        peer.answers = [Answer((), calls=[("bash", json.dumps(LISTED))])]
        answer = message(await send(proxy, "List the files.", model="tiny", tools=[BASH]))
        (tool,) = peer.received[-1].body["tools"]

    assert [call["input"] for call in answer["content"]] == [LISTED]
    assert (tool["type"], tool["function"]["name"]) == ("function", "bash")
    assert tool["function"]["parameters"]["required"] == ["command"]
