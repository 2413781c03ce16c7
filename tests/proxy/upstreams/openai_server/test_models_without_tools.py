"""Models of servers that take no tools or schemas: they are emulated there as at a site."""

import json
from typing import Any, cast

import openai
import pytest

from tests.openai_server import Answer, HttpError, OpenAiPeer
from tests.proxy.running import RunningProxy

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather", "parameters": PARAMETERS}}
CALL = '```tool_calls\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```'
COMPLAINTS = [
    (400, {"error": {"message": "registry.ollama.ai/library/gemma3:latest does not support tools"}}),
    (
        400,
        {
            "object": "error",
            "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            "code": 400,
        },
    ),
    (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}),
    (400, {"error": {"message": "`tool calling` is not supported with this model", "type": "invalid_request_error"}}),
    (
        404,  # OpenRouter
        {
            "error": {
                "message": 'No endpoints found that support tool use. Try disabling "look". To learn more about '
                "provider routing, visit: https://openrouter.ai/docs/guides/routing/provider-selection",
                "code": 404,
            }
        },
    ),
    (405, {"error": {"message": "Tool calling is not supported for model: NousResearch/Hermes-3"}}),  # DeepInfra
    (
        400,
        {"error": {"message": "deepseek-reasoner does not support Function Calling", "code": "invalid_request_error"}},
    ),
    (
        400,  # xAI
        {
            "code": "Client specified an invalid argument",
            "error": "Invalid request content: The model does not support tool use or function calling but tools or "
            "tool_choice have been specified on the request.",
        },
    ),
    (400, {"error": {"message": "tools is not supported in this model. For a list of supported models, refer to …"}}),
    (400, {"error": {"message": "Request included unsupported tool use.", "code": "UnsupportedToolUse"}}),  # Azure
    (500, {"error": {"message": "This model doesn't support tool use in streaming mode."}}),  # Bedrock's, by a gateway
    (400, [{"error": {"message": "Function calling is not enabled for models/gemma-3-12b-it", "code": 400}}]),  # Google
]


@pytest.mark.parametrize(("status", "body"), COMPLAINTS)
async def test_tools_are_emulated_from_the_turn_in_which_it_refuses_them(
    gateway: RunningProxy, server: OpenAiPeer, status: int, body: Any
) -> None:
    server.answers = [HttpError(status, body), Answer([CALL[:20], CALL[20:]], thoughts="hm"), Answer(["Sunny."])]

    first = await gateway.openai.chat.completions.create(
        model="mine/tiny",
        messages=[{"role": "user", "content": "Weather?"}],
        tools=[TOOL],  # type: ignore[list-item]
    )
    call = first.choices[0].message.tool_calls[0]  # type: ignore[index]
    asked = {"role": "user", "content": "Weather?"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    calls = [{"id": call.id, "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}]
    last = await gateway.chat(
        *(asked, {"role": "assistant", "tool_calls": calls}, result), model="mine/tiny", tools=[TOOL]
    )

    assert first.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city":"Paris"}')  # type: ignore[union-attr]
    assert last.text == "Sunny."
    assert ["tools" in request.body for request in server.received] == [True, False, False]
    assert "get_weather" in str(server.received[1].texts[0])  # the instructions
    assert "21 degrees" in str(server.received[2].texts[-1])


async def test_what_it_thinks_is_streamed_before_the_call(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(*COMPLAINTS[0]), Answer(["Let me look. ", CALL], thoughts="hm")]

    stream = await gateway.openai.chat.completions.create(
        model="mine/tiny", messages=[{"role": "user", "content": "Weather?"}], tools=cast(Any, [TOOL]), stream=True
    )
    deltas = [chunk.choices[0].delta async for chunk in stream if chunk.choices]

    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "hm"
    assert "".join(delta.content or "" for delta in deltas).strip() == "Let me look."
    calls = [call.function for delta in deltas for call in delta.tool_calls or () if call.function]
    assert [call.name for call in calls if call.name] == ["get_weather"]
    assert "".join(call.arguments or "" for call in calls) == '{"city":"Paris"}'


async def test_a_schema_still_reaches_it_and_the_list_says_which_tools_are_emulated(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [HttpError(*COMPLAINTS[0]), Answer(["no"]), Answer(['{"city": "Paris"}'])]
    await gateway.chat("hi", model="mine/tiny", tools=[TOOL])
    schema = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS}}
    formed = await gateway.chat("Where?", model="mine/tiny", response_format=schema)
    models = {model.id: model.model_dump() async for model in gateway.openai.models.list()}

    assert formed.text == '{"city": "Paris"}'
    assert server.received[-1].body["response_format"]["type"] == "json_schema"
    assert (models["mine/tiny"]["tools"], models["mine/tiny"]["structured_outputs"]) == ("emulated", "native")
    assert models["mine/llama3.2"]["tools"] == "native"


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        (400, "This response_format type is unavailable now"),  # DeepSeek
        (400, "This model does not support response format `json_schema`. See supported models at …"),  # Groq
        (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),  # OpenAI
        (400, "The response_format parameter is unsupported at the moment. Leave it unset."),  # xAI
        (405, "json_schema response format is not supported for model: tiny"),  # DeepInfra
        (500, 'response_format type must be one of "text" and "json_object", but got: json_schema'),  # llama.cpp
    ],
)
async def test_a_schema_is_emulated_from_the_turn_in_which_it_refuses_it(
    gateway: RunningProxy, server: OpenAiPeer, status: int, complaint: str
) -> None:
    refusal = HttpError(status, {"error": {"message": complaint}})
    server.answers = [refusal, Answer(['```json\n{"city": "Paris"}\n```']), Answer(['{"city": "Rome"}'])]
    schema = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS}}
    asked = [await gateway.chat("Where?", model="mine/tiny", response_format=schema) for _ in range(2)]
    server.answers = [Answer(calls=[("get_weather", '{"city": "Oslo"}')])]
    called = await gateway.chat("Weather?", model="mine/tiny", tools=[TOOL])
    models = {model.id: model.model_dump() async for model in gateway.openai.models.list()}

    assert [json.loads(answer.text) for answer in asked] == [{"city": "Paris"}, {"city": "Rome"}]
    assert ["response_format" in request.body for request in server.received] == [True, False, False, False]
    assert '"city"' in str(server.received[1].texts[0])  # the instructions
    assert called.body["choices"][0]["finish_reason"] == "tool_calls"
    assert (models["mine/tiny"]["tools"], models["mine/tiny"]["structured_outputs"]) == ("native", "emulated")


async def test_a_schema_that_is_wrong_is_the_requests_fault(gateway: RunningProxy, server: OpenAiPeer) -> None:
    message = "Invalid schema for response_format 'place': In context=(), 'oneOf' is not supported."
    server.answers = [HttpError(400, {"error": {"message": message}})]
    schema = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS}}

    answer = await gateway.chat("Where?", model="mine/tiny", response_format=schema)

    assert (answer.status, answer.code, len(server.received)) == (400, "upstream_refused", 1)


async def test_other_models_are_told_of_tools_as_before(gateway: RunningProxy, server: OpenAiPeer) -> None:
    server.answers = [HttpError(*COMPLAINTS[0]), Answer(["no"]), Answer(calls=[("get_weather", '{"city": "Rome"}')])]
    await gateway.chat("hi", model="mine/tiny", tools=[TOOL])
    other = await gateway.chat("hi", model="mine/llama3.2", tools=[TOOL])

    assert other.status == 200
    assert ["tools" in request.body for request in server.received] == [True, False, True]


async def test_an_answer_that_breaks_off_is_not_begun_again_since_another_turn_learned_that(
    gateway: RunningProxy, server: OpenAiPeer
) -> None:
    server.answers = [
        Answer(["Half "], holds=True, error={"message": "gone"}),
        HttpError(*COMPLAINTS[0]),
        Answer(["no"]),
    ]
    stream = await gateway.openai.chat.completions.create(
        model="mine/tiny", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    shown: list[str] = []

    async def read() -> None:
        async for chunk in stream:
            shown.append(chunk.choices[0].delta.content or "")
            if "".join(shown) == "Half " and not server.resume.is_set():
                await gateway.chat("hi", model="mine/tiny", tools=[TOOL])
                server.resume.set()

    with pytest.raises(openai.APIError, match="gone"):
        await read()
    assert "".join(shown) == "Half "
    assert len(server.received) == 3
