"""Tools and forms of answers that the operator has switched off: what is refused then, and what is left out."""

from pathlib import Path
from typing import Any

import pytest

from proxy.api.app_keys import UPSTREAMS
from tests.openai_server import OpenAiPeer
from tests.proxy.api.messages.messages_client import TOOL, error, send, user
from tests.proxy.api.tools.test_requests import MODEL, flat, tool
from tests.proxy.running import running_proxy
from tests.site import SimulatedSite

FORM = {"format": {"type": "json_object"}}
SWITCHED_OFF: list[tuple[dict[str, Any], str]] = [
    ({"tools": [flat()]}, "tools"),
    ({"text": FORM}, "text.format"),
    ({"tools": [flat()], "text": FORM}, "tools"),
    ({"tools": [flat()], "tool_choice": "none", "text": FORM}, "text.format"),
]


@pytest.mark.parametrize(("fields", "param"), SWITCHED_OFF)
async def test_what_is_switched_off_is_refused_by_its_field_in_responses_too(
    fields: dict[str, Any], param: str, site: SimulatedSite, tmp_path: Path
) -> None:
    async with (
        running_proxy(site, tmp_path, tools="refuse") as proxy,
        proxy.http.post(f"{proxy.url}/v1/responses", json={"model": MODEL, "input": "hi", **fields}) as response,
    ):
        error = (await response.json())["error"]

    assert (response.status, error["code"], error["param"]) == (400, "unsupported_parameter", param)


@pytest.mark.parametrize("mode", ["refuse", "ignore"])
async def test_tools_that_may_not_be_called_anyway_need_not_be_switched_on(
    mode: str, site: SimulatedSite, tmp_path: Path
) -> None:
    async with running_proxy(site, tmp_path, tools=mode) as proxy:
        answer = await proxy.chat("hi", tools=[tool()], tool_choice="none")
        body = {"model": MODEL, "input": "hi", "tools": [flat()], "tool_choice": "none", "text": {}}
        async with proxy.http.post(f"{proxy.url}/v1/responses", json=body) as response:
            assert response.status == 200, await response.text()
        without_call = await send(proxy, "hi", tools=[TOOL], tool_choice={"type": "none"})

    assert (answer.status, without_call.status) == (200, 200)
    ignored = "tools, tool_choice" if mode == "ignore" else None
    assert [each.headers.get("x-ignored-params") for each in (answer, response, without_call)] == [ignored] * 3


@pytest.mark.parametrize("name", ["output_config.format", "output_format"])
async def test_a_form_of_anthropics_is_told_by_the_name_it_was_sent_by(
    name: str, site: SimulatedSite, tmp_path: Path
) -> None:
    def form(kind: str) -> dict[str, Any]:
        value = {"type": "json_schema", "schema": {"type": kind}}
        return {"output_format": value} if name == "output_format" else {"output_config": {"format": value}}

    async with running_proxy(site, tmp_path, tools="ignore") as proxy:
        assert (await send(proxy, "hi", **form("object"))).headers["x-ignored-params"] == name
    async with running_proxy(site, tmp_path) as proxy:
        assert error(await send(proxy, "hi", **form("strange")))["message"].startswith(f"{name}.schema: ")


async def test_a_servers_own_tools_are_not_switched_off_in_any_api(site: SimulatedSite, tmp_path: Path) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "chat/completions": {"messages": [user("hi")], "tools": [tool()]},
        "responses": {"input": "hi", "tools": [flat()]},
        "messages": {"messages": [user("hi")], "tools": [TOOL], "max_tokens": 100},
        "messages/count_tokens": {"messages": [user("hi")], "tools": [TOOL]},
    }
    async with (
        OpenAiPeer("tiny") as server,
        running_proxy(site, tmp_path, tools="refuse", servers=f"mine={server.base_url}") as proxy,
    ):
        await proxy.app[UPSTREAMS][1].discover()
        for path, body in bodies.items():
            async with proxy.http.post(f"{proxy.url}/v1/{path}", json={"model": "mine/tiny", **body}) as response:
                assert response.status == 200, await response.text()

    assert [len(request.body["tools"]) for request in server.received] == [1, 1, 1]
