"""Tools and forms of answers that the operator has switched off: what is refused then, and what is left out."""

from pathlib import Path
from typing import Any

import pytest

from tests.proxy.api.test_tools_requests import MODEL, flat, tool
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

    assert answer.status == 200
    assert [each.headers.get("x-ignored-params") for each in (answer, response)] == [
        "tools, tool_choice" if mode == "ignore" else None,
        "tools" if mode == "ignore" else None,
    ]
