"""Outcomes of answers with calls and JSON are counted by model, and nothing else of them is reported."""

import re
from typing import Any

import pytest

from tests.proxy.running import RunningProxy
from tests.proxy.usage.test_metrics import sample_sum, scrape
from tests.proxy.usage.test_usage import flushed_counters
from tests.site import SimulatedSite
from tests.site.agent.writing import BEYOND_REPAIR

MODEL = "gpt-4o-mini-helper"
SCHEMA = {"type": "object", "properties": {"place_asked_for": {"type": "string"}}, "required": ["place_asked_for"]}
TOOLS = [{"type": "function", "function": {"name": "secret_tool", "parameters": SCHEMA}}]
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
VALUE = {"place_asked_for": "Atlantis"}
BROKEN = BEYOND_REPAIR[0]
OUTCOMES = ("valid", "mended", "retried", "failed")


async def play(proxy: RunningProxy, site: SimulatedSite, step: Any, **fields: Any) -> int:
    """One request that the model answers by *step*; the status."""
    site.behaviour.scripts = {"it": [step]}
    return int((await proxy.chat("[[script:it]]", **fields)).status)


async def play_all(proxy: RunningProxy, site: SimulatedSite) -> None:
    """One answer of each outcome, a second valid one by a schema, and one that calls nothing."""
    for form, status in (("asked", 200), ("trailing_comma", 200), ([BROKEN, "asked"], 200), (BROKEN, 502)):
        step = {"calls": [["secret_tool", VALUE]], "form": form}
        assert await play(proxy, site, step, tools=TOOLS, tool_choice="required") == status
    assert await play(proxy, site, {"json": VALUE}, response_format=FORM) == 200
    assert await play(proxy, site, {"text": "no call"}, tools=TOOLS) == 200


async def test_outcomes_are_told_to_prometheus_by_model_and_never_by_name(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    assert "freeaichat_tool_answers_total{" not in await scrape(proxy)
    await play_all(proxy, site)
    text = await scrape(proxy)

    found = {each: sample_sum(text, "freeaichat_tool_answers_total", model=MODEL, outcome=each) for each in OUTCOMES}
    assert found == {"valid": 2, "mended": 1, "retried": 1, "failed": 1}
    assert sample_sum(text, "freeaichat_errors_total", kind="invalid_tool_call") == 1
    assert (
        sample_sum(text, "gen_ai_server_time_to_first_token_seconds_count", model=MODEL) == 5
    )  # a call is the first too
    assert not re.search("secret_tool|place_asked|Atlantis", text)


async def test_outcomes_stand_in_the_store_and_are_told_to_the_administrator(
    proxy: RunningProxy, site: SimulatedSite
) -> None:
    await play_all(proxy, site)
    counters = (await flushed_counters(proxy))["open", MODEL, site.origin]
    async with proxy.http.get(f"{proxy.url}/admin/usage?by=model") as response:
        (row,) = (await response.json())["data"]

    assert {name: count for name, count in counters.items() if name.startswith("tools:")} == {
        "tools:valid": 2,
        "tools:mended": 1,
        "tools:retried": 1,
        "tools:failed": 1,
    }
    assert row["tools"] == {"valid": 2, "mended": 1, "retried": 1, "failed": 1}


@pytest.mark.parametrize("stream", [False, True])
async def test_each_of_several_answers_counts(stream: bool, proxy: RunningProxy, site: SimulatedSite) -> None:
    site.behaviour.scripts = {"it": [{"calls": [["secret_tool", VALUE]]}]}
    body = {"model": MODEL, "messages": [{"role": "user", "content": "[[script:it]]"}], "tools": TOOLS}
    async with proxy.http.post(f"{proxy.url}/v1/chat/completions", json={**body, "n": 2, "stream": stream}) as response:
        assert response.status == 200
        await response.read()

    assert (await flushed_counters(proxy))["open", MODEL, site.origin]["tools:valid"] == 2
