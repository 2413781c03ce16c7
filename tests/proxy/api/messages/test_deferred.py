"""Deferred tools, as Claude Code has those of MCP servers: the model is told of them where its search found them."""

import json
from typing import Any

import pytest

from tests.proxy.api.messages.messages_client import TOOL, assistant, block, message, send, text, user
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

STATEFUL = "gpt-5-nano"  # its provider keeps the conversation
PROMPT = "x" * 5000
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
SEARCH = {"name": "ToolSearch", "description": "Find tools.", "input_schema": QUERY}
DAY = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
EVENTS = {"name": "events", "description": "Tell a day's events.", "input_schema": DAY, "defer_loading": True}
IDLE = {"name": "Placeholder", "input_schema": {"type": "object"}, "defer_loading": True}
STEPS: list[dict[str, Any]] = [
    {"text": "I search.", "calls": [["ToolSearch", {"query": "日历"}]]},
    {"calls": [["events", {"day": "today"}]], "anyway": True},
]
ASKED = "[[script:it]] Go."


async def next_message(proxy: RunningProxy, *messages: Any, tools: Any, **fields: Any) -> dict[str, Any]:
    """Send the conversation and return the next message."""
    return message(await send(proxy, ASKED, *messages, model=STATEFUL, system=PROMPT, tools=tools, **fields))


def result(answer: dict[str, Any], *content: Any) -> dict[str, Any]:
    """The result of the one call in *answer*."""
    (call,) = [each for each in answer["content"] if each["type"] == "tool_use"]
    return user(block("tool_result", tool_use_id=call["id"], content=list(content)))


def sent(site: SimulatedSite) -> list[str]:
    """Each message that the site was sent."""
    return [seen.fields["message"] for seen in site.requests if seen.action == "aipkit_cache_sse_message"]


async def test_found_tools_are_described_once_and_can_be_called(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": STEPS}
    first = await next_message(proxy, tools=[TOOL, SEARCH, IDLE])
    found = result(first, block("tool_reference", tool_name="events"), block("tool_reference", tool_name="get_weather"))
    searched, tools = (assistant(*first["content"]), found), [TOOL, SEARCH, IDLE, EVENTS]
    second = await next_message(proxy, *searched, tools=tools)
    third = await next_message(
        proxy, *searched, assistant(*second["content"]), result(second, text("nothing")), tools=tools
    )

    (call,) = second["content"]
    assert (call["name"], call["input"]) == ("events", {"day": "today"})
    assert third["content"][0]["text"].endswith("nothing.")
    assert [len(each) > len(PROMPT) for each in sent(site)] == [True, False, False]
    assert "Placeholder" not in sent(site)[0]
    assert sent(site)[1].startswith("[result of ToolSearch]\nget_weather\nFrom now on you can call these tools too:\n")
    (line,) = [json.loads(line) for line in sent(site)[1].splitlines() if line.startswith("{")]
    assert line == {"name": "events", "description": EVENTS["description"], "parameters": DAY}
    assert sent(site)[2] == "[result of events]\nnothing"


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        ([TOOL, EVENTS, {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}], "auto"),
        ([EVENTS], "auto"),
        ([TOOL, EVENTS], "tool"),
    ],
)
async def test_a_tool_that_nothing_can_find_or_that_is_chosen_is_described_at_once(
    tools: Any, choice: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["events", {"day": "today"}]]}]}
    chosen = {"type": choice, **({"name": "events"} if choice == "tool" else {})}
    answer = await next_message(proxy, tools=tools, tool_choice=chosen)

    assert [each["name"] for each in answer["content"]] == ["events"]
    assert '{"name":"events",' in sent(site)[0]


async def test_a_tool_that_comes_amid_the_conversation_is_told_there_and_one_that_goes_is_no_error(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    def change(kind: str, name: str) -> dict[str, Any]:
        return block(kind, tool={"type": "tool_reference", "name": name})

    site.behaviour.scripts = {"it": STEPS[1:]}
    changes = [text("A server is connected."), change("tool_addition", "events"), change("tool_removal", "Placeholder")]
    payload = {"role": "system", "content": [*changes, change("tool_addition", "get_weather"), block("tool_addition")]}
    answer = await next_message(proxy, payload, tools=[TOOL, SEARCH, IDLE, EVENTS])

    assert [each["name"] for each in answer["content"]] == ["events"]
    (message,) = sent(site)
    assert "A server is connected.\nFrom now on you can call these tools too:\n```tools\n" in message
    assert (message.count('{"name":"events",'), message.count('{"name":"get_weather",')) == (1, 1)
    assert "Placeholder" not in message


async def test_a_message_that_changes_the_effort_alone_is_not_sent(proxy: RunningProxy, site: SimulatedSite) -> None:
    change = {"role": "system", "content": [], "output_config": {"effort": "low"}}

    assert (await send(proxy, change, "hi", change)).status == 200
    assert sent(site)[-1] == "hi"
    assert (await send(proxy, change, system="Be brief.")).status == 400
