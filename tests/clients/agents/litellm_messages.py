"""LiteLLM, which turns OpenAI's shapes into Anthropic's and back."""

import json
from typing import Any

import litellm

from tests.clients.agents.telling import BASE_URL, FUNCTION, KEY, MODEL, perform, scenario, weather_in

SETTINGS: dict[str, Any] = {
    "model": f"anthropic/{MODEL}",
    "api_base": BASE_URL.removesuffix("/v1"),
    "api_key": KEY,
    "max_tokens": 1000,
}
TOOLS = [{"type": "function", "function": FUNCTION}]


async def whole(messages: list[Any], **fields: Any) -> Any:
    return (await litellm.acompletion(messages=messages, **SETTINGS, **fields)).choices[0]


async def pieces(messages: list[Any], **more: Any) -> Any:
    """The same, streamed and assembled by the library."""
    stream = await litellm.acompletion(messages=messages, stream=True, **SETTINGS, **more)
    chunks = [chunk async for chunk in stream]
    built: Any = litellm.stream_chunk_builder(chunks, messages=messages)
    return built.choices[0]


async def loop(ask: Any, text: str) -> Any:
    """Ask and answer calls until there are none; return the last text."""
    messages: list[Any] = [{"role": "user", "content": text}]
    for _ in range(4):
        choice = await ask(messages, tools=TOOLS)
        messages.append(choice.message)
        if choice.finish_reason != "tool_calls":
            return choice.message.content
        for call in choice.message.tool_calls:
            city = json.loads(call.function.arguments)["city"]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": weather_in(city)})
    raise RuntimeError("it never ends")


@scenario("weather")
async def completion(text: str) -> Any:
    return await loop(whole, text)


@scenario("weather")
async def completion_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("pair")
async def parallel_calls_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("forced")
async def required(text: str) -> Any:
    choice = await whole([{"role": "user", "content": text}], tools=TOOLS, tool_choice="required")
    calls = [[call.function.name, json.loads(call.function.arguments)] for call in choice.message.tool_calls]
    return [choice.finish_reason, calls]


@scenario("used")
async def anthropics_own_shape(text: str) -> Any:
    tool = {"name": FUNCTION["name"], "input_schema": FUNCTION["parameters"]}
    message: Any = await litellm.anthropic.messages.acreate(
        messages=[{"role": "user", "content": text}], tools=[tool], **SETTINGS
    )
    calls = [[block["name"], block["input"]] for block in message["content"] if block["type"] == "tool_use"]
    return [message["stop_reason"], calls]


if __name__ == "__main__":
    perform()
