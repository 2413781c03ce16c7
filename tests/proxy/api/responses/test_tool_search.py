"""A client's own search among tools, as Codex has for those of MCP servers: what it finds can be called."""

import json
from typing import Any

from tests.proxy.api.openapi.test_described_calls import invalid_values
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

STATEFUL = "gpt-5-nano"  # its provider keeps the conversation
PROMPT = "x" * 5000
QUERY = {"query": "日历", "limit": 3}
SEARCH = {
    "type": "tool_search",
    "execution": "client",
    "description": "Find more tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}},
}
SHELL = {"type": "function", "name": "shell", "description": "Run a command.", "parameters": {"type": "object"}}
DAY = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
EVENTS = {"type": "function", "name": "events", "description": "Tell a day's events.", "parameters": DAY}
CALENDAR = {"type": "namespace", "name": "mcp__calendar", "description": "A calendar.", "tools": [EVENTS]}
ODD = {"type": "function", "name": "two words"}
STEPS: list[dict[str, Any]] = [
    {"text": "I search.", "calls": [["tool_search", QUERY]]},
    {"calls": [["mcp__calendar__events", {"day": "today"}]], "anyway": True},
]
ASKED = {"role": "user", "content": "[[script:it]] Go."}


async def create_response(proxy: RunningProxy, *items: Any, **fields: Any) -> Any:
    """Send a history; return the whole response."""
    body = {"model": STATEFUL, "instructions": PROMPT, "input": [ASKED, *items], "tools": [SHELL, SEARCH], **fields}
    answer = await exchange(proxy.url, "POST", "/v1/responses", body)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def search_output(call: Any, *tools: Any) -> dict[str, Any]:
    """The result of the search."""
    payload = {"call_id": call["call_id"], "execution": "client", "status": "completed"}
    return {"type": "tool_search_output", **payload, "tools": list(tools)}


async def test_the_search_is_called_as_an_item_of_its_own(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": STEPS}
    body = {"model": STATEFUL, "input": [ASKED], "tools": [SHELL, SEARCH], "stream": True}
    answer = await exchange(proxy.url, "POST", "/v1/responses", body)

    item_events = [event for event in answer.data if event.get("output_index") == 1]
    assert [event["type"] for event in item_events] == ["response.output_item.added", "response.output_item.done"]
    assert [event["item"]["arguments"] for event in item_events] == [{}, QUERY]
    item = item_events[1]["item"]
    assert (item["type"], item["execution"], item["id"][:4], item["call_id"][:5]) == (
        *("tool_search_call", "client"),
        *("tsc_", "call_"),
    )
    assert answer.data[-1]["response"]["output"][1] == item
    assert "x-ignored-params" not in answer.headers
    assert invalid_values("ResponseEvent", answer.data) == []


async def test_found_tools_are_described_once_and_can_be_called(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": STEPS}
    first = await create_response(proxy)
    searched = [*first["output"], search_output(first["output"][1], CALENDAR, ODD)]
    second = await create_response(proxy, *searched)
    (call,) = second["output"]
    third = await create_response(
        proxy, *searched, call, {"type": "function_call_output", "call_id": call["call_id"], "output": "nothing"}
    )

    assert (call["type"], call["namespace"], call["name"]) == ("function_call", "mcp__calendar", "events")
    assert json.loads(call["arguments"]) == {"day": "today"}
    assert third["output"][0]["content"][0]["text"].endswith("nothing.")
    sent = [seen.fields["message"] for seen in site.requests if seen.action == "aipkit_cache_sse_message"]
    assert [len(text) > len(PROMPT) for text in sent] == [True, False, False]
    assert sent[1].startswith("[result of tool_search]\nFrom now on you can call these tools too:\n```tools\n")
    (line,) = [json.loads(line) for line in sent[1].splitlines() if line.startswith("{")]
    assert line == {"name": "mcp__calendar__events", "description": EVENTS["description"], "parameters": DAY}
    assert sent[2] == "[result of mcp__calendar__events]\nnothing"


async def test_arguments_of_what_was_found_are_checked(proxy: RunningProxy, site: SimulatedSite) -> None:
    unfit = {"calls": [["events", {"week": 7}]], "anyway": True}
    site.behaviour.scripts = {"it": [STEPS[0], unfit]}
    first = await create_response(proxy)
    body = {
        "model": STATEFUL,
        "input": [ASKED, *first["output"], search_output(first["output"][1], EVENTS)],
        "tools": [SEARCH],
    }
    answer = await exchange(proxy.url, "POST", "/v1/responses", body)

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (502, "invalid_tool_call")


async def test_the_search_may_be_chosen(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["tool_search", QUERY]], "forced": True}]}
    response = await create_response(proxy, tool_choice={"type": "tool_search"})

    assert [item["type"] for item in response["output"]] == ["tool_search_call"]


async def test_a_search_may_find_nothing(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": STEPS[:1]}
    first = await create_response(proxy)
    second = await create_response(
        proxy, *first["output"], search_output(first["output"][1], ODD, 5, {"type": "file_search"})
    )

    assert second["output"][0]["content"][0]["text"] == "So: No such tool was found.."


async def test_what_was_found_is_no_tool_where_nothing_searches_any_more(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    site.behaviour.scripts = {"it": STEPS}
    first = await create_response(proxy)
    second = await create_response(proxy, *first["output"], search_output(first["output"][1], CALENDAR), tools=[])

    assert [item["type"] for item in second["output"]] == ["message"]


async def test_a_tool_search_is_kept_with_a_conversation(proxy: RunningProxy) -> None:
    call = {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": QUERY}
    items = [call, search_output(call, CALENDAR)]
    created = json.loads((await exchange(proxy.url, "POST", "/v1/conversations", {"items": items})).body)
    page = json.loads((await exchange(proxy.url, "GET", f"/v1/conversations/{created['id']}/items?order=asc")).body)

    assert [item["id"].partition("_")[0] for item in page["data"]] == ["tsc", "tso"]
    assert page["data"][0]["arguments"] == QUERY
    assert [tool["name"] for tool in page["data"][1]["tools"]] == ["mcp__calendar__events"]
    assert invalid_values("ItemList", [page]) == []


async def test_a_search_of_openais_servers_is_left_out_and_named(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"text": "No."}]}
    body = {"model": STATEFUL, "input": [ASKED], "tools": [SHELL, {"type": "tool_search"}]}
    answer = await exchange(proxy.url, "POST", "/v1/responses", body)

    assert (answer.status, answer.headers["x-ignored-params"]) == (200, "tools.tool_search")


async def test_tools_that_stand_among_the_items_are_offered_like_all_others(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    """As Codex sends some of its own with some models."""
    site.behaviour.scripts = {"it": [{"calls": [["shell", {}], ["events", {"day": "today"}]]}]}
    hosted = {"type": "web_search"}
    added = {"type": "additional_tools", "role": "developer", "tools": [CALENDAR, SHELL, ODD, hosted]}
    first = await create_response(proxy, added, tools=[SHELL])
    results = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": "none"} for call in first["output"]
    ]
    second = await create_response(proxy, added, *first["output"], *results, tools=[SHELL])

    assert [(call["name"], call.get("namespace")) for call in first["output"]] == [
        ("shell", None),
        ("events", "mcp__calendar"),
    ]
    assert second["output"][0]["content"][0]["text"].endswith("none; none.")
    sent = [seen.fields["message"] for seen in site.requests if seen.action == "aipkit_cache_sse_message"]
    assert [len(text) > len(PROMPT) for text in sent] == [True, False]
    assert sent[0].count('{"name":"shell"') == sent[0].count('{"name":"events"') == 1


async def test_such_tools_may_be_the_only_ones(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["events", {"day": "today"}]]}]}
    added = {"type": "additional_tools", "role": "developer", "tools": [EVENTS]}

    response = await create_response(proxy, added, tools=None, tool_choice="auto")

    assert [(item["type"], item["name"]) for item in response["output"]] == [("function_call", "events")]
