"""OpenAI's newest models take no tools in chat completions while they think, and some of them think always."""

from typing import Any

import pytest

from proxy.chat.ask import Ask
from proxy.chat.tools.definitions import Tool, ToolConfig
from proxy.upstreams.openai_server.complaints import learned_from
from proxy.upstreams.openai_server.quirks import Quirks
from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy

EITHER = HttpError(
    400,
    {
        "error": {
            "message": "Function tools with reasoning_effort are not supported for tiny in /v1/chat/completions. "
            "To use function tools, use /v1/responses or set reasoning_effort to 'none'.",
            "type": "invalid_request_error",
            "param": "reasoning_effort",
        }
    },
)
NOT_NONE = HttpError(
    400, {"error": {"message": "Unsupported value: 'reasoning_effort' does not support 'none' with this model."}}
)
LOOK: dict[str, Any] = {"name": "look", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": LOOK}
CALL = '```tool_calls\n{"name": "look", "arguments": {}}\n```'


def efforts(server: OpenAiPeer) -> list[tuple[bool, str | None]]:
    """Whether each request had tools, and its effort."""
    return [("tools" in request.body, request.body.get("reasoning_effort")) for request in server.received]


@pytest.mark.parametrize("effort", ["high", None])
async def test_tools_come_with_no_effort_and_the_clients_own_is_named_as_ignored(
    gateway: RunningProxy, server: OpenAiPeer, effort: str | None
) -> None:
    server.answers = [EITHER, Answer((), calls=[("look", "{}")]), Answer()]
    asked: dict[str, Any] = {"model": "mine/tiny", "tools": [TOOL], "reasoning_effort": effort}
    answers = [await gateway.chat("hi", **asked) for _ in range(2)]
    params: Any = {"model": "mine/tiny", "tools": [{"type": "function", **LOOK}], "reasoning": {"effort": "high"}}
    response = await gateway.openai.responses.with_raw_response.create(input="hi", **params)
    await gateway.chat("hi", model="mine/tiny", reasoning_effort="high")

    assert [call["function"]["name"] for call in answers[0].body["choices"][0]["message"]["tool_calls"]] == ["look"]
    assert efforts(server) == [(True, effort), *[(True, "none")] * 3, (False, "high")]
    ignored = "reasoning_effort" if effort else None
    assert [answer.headers.get("x-ignored-params") for answer in answers] == [ignored] * 2
    assert response.headers["x-ignored-params"] == "reasoning"


@pytest.mark.parametrize("second", [EITHER, NOT_NONE], ids=["either", "not none"])
async def test_tools_are_emulated_for_a_model_that_thinks_always(
    gateway: RunningProxy, server: OpenAiPeer, second: HttpError
) -> None:
    server.answers = [EITHER, second, Answer([CALL]), Answer([CALL])]
    answers = [await gateway.chat("hi", model="mine/tiny", tools=[TOOL], reasoning_effort="high") for _ in range(2)]

    for answer in answers:
        assert [call["function"]["name"] for call in answer.body["choices"][0]["message"]["tool_calls"]] == ["look"]
    assert efforts(server) == [(True, "high"), (True, "none"), (False, "high"), (False, "high")]
    assert not any("x-ignored-params" in answer.headers for answer in answers)


async def test_a_gateway_may_tell_it_as_its_own_failure(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(500, EITHER.body), Answer()]

    assert (await gateway.chat("hi", model="mine/tiny", tools=[TOOL])).text == "served"


def test_other_words_about_an_effort_cost_no_tools() -> None:
    ask = Ask("m", (), tool_config=ToolConfig((Tool("look"),)), parameters={"reasoning_effort": "high"})
    learned = learned_from(NOT_NONE.body["error"]["message"], Quirks(), ask)

    assert learned is not None
    assert (learned.takes_tools, learned.thinks_beside_tools) == (True, True)
