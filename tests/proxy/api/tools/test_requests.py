"""Requests with tools and schemas: which are refused, by which field, and what the model is told of a history."""

import base64
from typing import Any

import pytest

from tests.pictures import PNG
from tests.proxy.running import RunningProxy
from tests.site import SimulatedSite

MODEL = "gpt-4o-mini-helper"
WEATHER: dict[str, Any] = {"name": "get_weather", "parameters": {"type": "object"}}


def tool(name: str = "get_weather", **more: Any) -> dict[str, Any]:
    """A function as chat completions have it."""
    return {"type": "function", "function": {**WEATHER, "name": name, **more}}


def flat(name: str = "get_weather", **more: Any) -> dict[str, Any]:
    """A function as Responses have it."""
    return {"type": "function", **WEATHER, "name": name, **more}


def schema(value: Any) -> dict[str, Any]:
    """A response format."""
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": value}}


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    """A choice of Responses that allows some tools only."""
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


CHAT: list[tuple[dict[str, Any], str]] = [
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, "tool_choice"),
    ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
    ({"tools": [tool()], "tool_choice": "sometimes"}, "tool_choice"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [tool(), tool()]}, "tools[1].function.name"),
    ({"tools": [tool(), tool("b", parameters={"type": "nothing"})]}, "tools[1].function.parameters"),
    ({"tools": [tool(f"tool_{number}") for number in range(129)]}, "tools"),
    ({"functions": [WEATHER, WEATHER]}, "functions[1].name"),
    ({"functions": [WEATHER], "function_call": {"name": "other"}}, "function_call"),
    ({"response_format": schema({"type": "nothing"})}, "response_format.json_schema.schema"),
    ({"tools": [tool()], "functions": [{}]}, "functions[0].name"),
    ({"tools": [tool()], "functions": [WEATHER], "function_call": 7}, "function_call"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ({"tools": [7]}, "tools[0]"),
    ({"tools": [tool(), {"type": "web_search"}]}, "tools[1]"),
    ({"tools": [tool(parameters="any")]}, "tools[0].function.parameters"),
    ({"tools": [tool()], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": 1}}}, "tool_choice"),
    ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": ""}}}, "tool_choice"),
]
RESPONSES: list[tuple[dict[str, Any], str]] = [
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [flat()], "tool_choice": {"type": "function", "name": "other"}}, "tool_choice"),
    ({"tools": [flat(), flat()]}, "tools[1].name"),
    ({"tools": [flat(parameters={"type": "nothing"})]}, "tools[0].parameters"),
    ({"text": {"format": {"type": "json_schema", "name": "it", "schema": {"type": "no"}}}}, "text.format.schema"),
    ({"tools": [{"type": "web_search"}], "tool_choice": "sometimes"}, "tool_choice"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ({"tools": [flat()], "tool_choice": {"type": []}}, "tool_choice"),
    ({"tools": [flat()], "tool_choice": {"type": "web_search"}}, "tool_choice"),
    ({"tools": [flat()], "tool_choice": allowed("required", {"type": "image_generation"})}, "tool_choice"),
    ({"tools": [flat()], "tool_choice": allowed("auto", {"type": "function", "name": "other"})}, "tool_choice"),
    (
        {"tools": [flat()], "tool_choice": allowed("sometimes", {"type": "function", "name": "get_weather"})},
        "tool_choice",
    ),
    ({"tools": [{"type": "namespace", "name": "d", "tools": [{"type": "web_search"}]}]}, "tools[0].tools[0]"),
    ({"tools": [{"name": "get_weather"}]}, "tools[0]"),
    ({"text": "short"}, "text"),
    ({"text": {"verbosity": 1}}, "text.verbosity"),
    ({"input": 7}, "input"),
    ({"input": None}, "input"),
    ({"input": ["hi"]}, "input.0"),
]


@pytest.mark.parametrize(("fields", "param"), CHAT)
async def test_a_chat_that_cannot_be_meant_is_refused_by_its_field(
    fields: dict[str, Any], param: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    answer = await proxy.chat("hi", **fields)

    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert site.model_calls == []


@pytest.mark.parametrize(("fields", "param"), RESPONSES)
async def test_a_response_that_cannot_be_meant_is_refused_by_its_field(
    fields: dict[str, Any], param: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    body = {"model": MODEL, "input": "hi", **fields}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        error = (await response.json())["error"]

    assert (response.status, error["param"]) == (400, param)
    assert site.model_calls == []


async def prompt_for(proxy: RunningProxy, site: SimulatedSite, *items: dict[str, Any], **fields: Any) -> str:
    """Send a history of items; return what the model gets."""
    body = {"model": MODEL, "input": [{"role": "user", "content": "Go."}, *items], "tools": [flat()], **fields}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        assert response.status == 200, await response.text()
    return site.model_calls[-1].context[-1]["content"]


async def test_calls_and_results_are_told_in_the_format(proxy: RunningProxy, site: SimulatedSite) -> None:
    called = {"type": "function_call", "call_id": "a", "name": "get_weather", "arguments": '{"city": "Paris"}'}
    second = {"type": "function_call", "call_id": "b", "name": "get_weather", "arguments": "{}"}
    results = ({"type": "function_call_output", "call_id": each, "output": f"result {each}"} for each in "ab")
    text = await prompt_for(proxy, site, called, second, *results)

    fence = '{"name":"get_weather","arguments":{"city":"Paris"}}\n{"name":"get_weather","arguments":{}}'
    assert f"```tool_calls\n{fence}\n```" in text
    assert text.index("[result of get_weather]\nresult a") < text.index("[result of get_weather]\nresult b")


async def test_a_custom_tools_input_is_its_one_argument(proxy: RunningProxy, site: SimulatedSite) -> None:
    called = {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": 'a "b"\nc'}
    text = await prompt_for(proxy, site, called, {"type": "custom_tool_call_output", "call_id": "a", "output": "done"})

    assert '{"name":"patch","arguments":{"input":"a \\"b\\"\\nc"}}' in text
    assert "[result of patch]\ndone" in text


async def test_a_shells_calls_are_sent_as_text(proxy: RunningProxy, site: SimulatedSite) -> None:
    action = {"type": "exec", "command": ["ls", "-la"], "env": {}}
    called = {"type": "local_shell_call", "id": "x", "call_id": "a", "action": action, "status": "completed"}
    text = await prompt_for(proxy, site, called, {"type": "local_shell_call_output", "id": "a", "output": "total 0"})

    assert "ls" in text
    assert "-la" in text
    assert "total 0" in text


async def test_an_mcp_call_is_sent_with_its_output(proxy: RunningProxy, site: SimulatedSite) -> None:
    called = {"type": "mcp_call", "id": "m", "server_label": "s", "name": "ask", "arguments": '{"q":1}', "output": "42"}
    text = await prompt_for(proxy, site, called, {"role": "user", "content": "And?"})

    assert "ask" in text
    assert "42" in text


async def test_what_only_another_model_can_read_is_left_out(proxy: RunningProxy, site: SimulatedSite) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SECRET"}
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "QUERY"},
    }
    tools: list[dict[str, Any]] = [
        {"type": "tool_search_call", "call_id": "t", "execution": "server", "arguments": {"query": "QUERY"}},
        {"type": "tool_search_output", "call_id": "t", "execution": "server", "tools": [flat("QUERY")]},
        {"type": "program", "id": "p", "call_id": "p", "code": "SECRET", "fingerprint": "f"},
        {"type": "program_output", "id": "o", "call_id": "p", "result": "SECRET", "status": "completed"},
        {"type": "open_webui:code_interpreter", "id": "c", "code": "SECRET", "lang": "python"},
    ]
    text = await prompt_for(proxy, site, thought, search, *tools, {"role": "user", "content": "And?"})

    assert "SECRET" not in text
    assert "QUERY" not in text


@pytest.mark.parametrize("kind", ["configuration_update", "of tomorrow"])
async def test_an_item_that_would_change_what_is_asked_is_refused_by_its_type(
    kind: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    body = {"model": MODEL, "input": [{"role": "user", "content": "hi"}, {"type": kind, "text": {"format": {}}}]}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        error = (await response.json())["error"]

    assert (response.status, error["param"]) == (400, "input.1")
    assert kind in error["message"]
    assert site.model_calls == []


async def test_a_picture_in_a_result_goes_along_as_one(proxy: RunningProxy, site: SimulatedSite) -> None:
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    called = {"type": "function_call", "call_id": "a", "name": "get_weather", "arguments": "{}"}
    output = [{"type": "input_text", "text": "a map"}, {"type": "input_image", "image_url": url}]
    text = await prompt_for(proxy, site, called, {"type": "function_call_output", "call_id": "a", "output": output})

    assert "[result of get_weather]\na map" in text
    assert site.model_calls[-1].images == 1


async def test_legacy_functions_are_described_alike(proxy: RunningProxy, site: SimulatedSite) -> None:
    call = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    history = (
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "get_weather", "content": "21"},
    )
    assert (await proxy.chat(*history, functions=[WEATHER])).status == 200

    text = site.model_calls[-1].context[-1]["content"]
    assert '```tool_calls\n{"name":"get_weather","arguments":{"city":"Paris"}}\n```' in text
    assert "[result of get_weather]\n21" in text


async def test_hosted_tools_are_left_out_beside_others_and_refused_where_forced(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    hosted = [{"type": "file_search", "vector_store_ids": ["vs_1"]}, {"type": "code_interpreter"}, flat()]
    body: dict[str, Any] = {"model": MODEL, "input": "hi", "tools": hosted}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        assert response.status == 200
        ignored = response.headers["x-ignored-params"]
    async with proxy.http.post(
        f"{proxy.url}/v1/responses", json={**body, "tool_choice": {"type": "file_search"}}
    ) as forced:
        assert forced.status == 400

    assert "file_search" in ignored
    assert "code_interpreter" in ignored


HOSTED = [{"type": "mcp", "server_label": "docs"}, {"type": "image_generation"}]
ALLOWED: list[tuple[list[dict[str, Any]], str]] = [
    ([{"type": "function", "name": "get_weather"}, *HOSTED], "Call only: get_weather."),
    (HOSTED, "tool choice: none"),
]


@pytest.mark.parametrize(("tools", "line"), ALLOWED)
async def test_hosted_tools_among_the_allowed_ones_are_passed_over(
    tools: list[dict[str, Any]], line: str, proxy: RunningProxy, site: SimulatedSite
) -> None:
    choice = allowed("auto", *tools)
    text = await prompt_for(
        proxy, site, {"role": "user", "content": "And?"}, tools=[flat(), *HOSTED], tool_choice=choice
    )

    assert line in text.splitlines()


SEARCH = {"type": "web_search"}
SEARCHING: list[tuple[dict[str, Any], bool, str | None]] = [
    ({"tools": [SEARCH]}, True, None),
    ({"tools": [{"type": "web_search_preview"}], "tool_choice": "none"}, False, None),
    ({"tools": [SEARCH, {"type": "image_generation"}]}, True, "tools.image_generation"),
    ({"tools": [SEARCH, flat()]}, False, None),
    ({"tools": [SEARCH, flat()], "tool_choice": SEARCH}, True, None),
]


@pytest.mark.parametrize(("fields", "searches", "ignored"), SEARCHING)
async def test_the_site_searches_where_nothing_else_may_be_called(
    fields: dict[str, Any], searches: bool, ignored: str | None, proxy: RunningProxy, site: SimulatedSite
) -> None:
    body = {"model": "web-search-bot", "input": "hi", **fields}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        assert response.status == 200, await response.text()

    assert site.model_calls[-1].web_search is searches
    assert response.headers.get("x-ignored-params") == ignored


async def test_a_tool_in_a_namespace_is_called_with_it(proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["list_files", {}]]}]}
    namespace = {"type": "namespace", "name": "disk", "description": "", "tools": [flat("list_files")]}
    body = {"model": MODEL, "input": "[[script:it]]", "tools": [namespace, flat()]}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        (call,) = (await response.json())["output"]

    assert (call["type"], call["namespace"], call["name"]) == ("function_call", "disk", "list_files")


async def test_models_say_what_they_can(proxy: RunningProxy) -> None:
    async with proxy.http.get(f"{proxy.url}/v1/models/{MODEL}") as response:
        model = await response.json()

    assert model["tools"] == "emulated"
    assert model["structured_outputs"] == "emulated"


async def test_a_type_that_fits_no_header_is_left_out_all_the_same(proxy: RunningProxy) -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "file_search\r\nx-evil: 1"}]
    body = {"model": MODEL, "input": "hi", "tools": tools}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        assert response.status == 200
        assert "x-evil" not in response.headers


async def test_a_namespace_has_a_name_as_tools_do(proxy: RunningProxy) -> None:
    tools = [{"type": "namespace", "name": "two words", "tools": [{"type": "function", "name": "f"}]}]
    body = {"model": MODEL, "input": "hi", "tools": tools}
    async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
        assert response.status == 400
