"""Agents on a site with AI Engine: the same text, sent to a chat that gets its history."""

import json
from typing import Any

import pytest

from tests.proxy.running import RunningProxy
from tests.proxy.upstreams.ai_engine.engine import CC, RESP, chat
from tests.site_ai_engine import SimulatedAiEngine

PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
COUNT = {"type": "function", "function": {"name": "count", "description": "Count.", "parameters": PARAMETERS}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "it", "schema": PARAMETERS, "strict": True}}


async def counted(proxy: RunningProxy, model: str, rounds: int) -> Any:
    """The loop of a client that sends everything each time; the last text."""
    messages: list[Any] = [{"role": "user", "content": "[[script:count]] Go."}]
    for _ in range(rounds):
        message = (await chat(proxy, *messages, model=model, tools=[COUNT])).body["choices"][0]["message"]
        messages.append(message)
        for call in message.get("tool_calls", ()):
            number = json.loads(call["function"]["arguments"])["number"]
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"counted {number}"})
    return messages[-1]["content"]


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("model", [RESP, CC])
@pytest.mark.parametrize("form", ["asked", "tool_call", "invoke", "python_literals"])
async def test_tools_are_called_and_their_results_told(
    form: str, model: str, streams: bool, engine_proxy: RunningProxy, engine: SimulatedAiEngine
) -> None:
    engine.behaviour.streams = streams
    steps = [{"calls": [["count", {"number": number}]], "form": form} for number in range(3)]
    engine.behaviour.scripts = {"count": steps}

    assert await counted(engine_proxy, model, 4) == "So: counted 0; counted 1; counted 2."


async def test_a_broken_call_is_asked_for_again(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> None:
    engine.behaviour.scripts = {"count": [{"calls": [["count", {"number": 7}]], "form": ["hopeless", "asked"]}]}

    assert await counted(engine_proxy, RESP, 2) == "So: counted 7."


async def test_an_answer_fits_its_schema(engine_proxy: RunningProxy, engine: SimulatedAiEngine) -> None:
    engine.behaviour.scripts = {"it": [{"json": {"number": 7}, "form": ["unfit", "with_prose"]}]}

    answer = await chat(engine_proxy, "[[script:it]]", response_format=FORMAT)
    assert json.loads(answer.text) == {"number": 7}
