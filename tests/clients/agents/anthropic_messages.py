"""anthropic, the SDK for Python."""

from collections.abc import Iterable
from typing import Any

from anthropic import APIStatusError, AsyncAnthropic, beta_async_tool

from tests.clients.agents.telling import (
    BASE_URL,
    DESCRIPTION,
    KEY,
    MODEL,
    PARAMETERS,
    Weather,
    asking,
    perform,
    scenario,
    weather_in,
)

ADDRESS = BASE_URL.removesuffix("/v1")
client = AsyncAnthropic(base_url=ADDRESS, api_key=KEY, max_retries=0)
TOOLS: list[Any] = [{"name": "get_weather", "description": DESCRIPTION, "input_schema": PARAMETERS}]
LONG_ENOUGH = 8  # tokens, for a call to have begun and not ended


async def whole(messages: list[Any], max_tokens: int = 1000, **fields: Any) -> Any:
    """One message."""
    return await client.messages.create(model=MODEL, max_tokens=max_tokens, messages=messages, **fields)


async def helped(messages: list[Any], max_tokens: int = 1000, **more: Any) -> Any:
    """The same, streamed and assembled by the SDK."""
    async with client.messages.stream(model=MODEL, max_tokens=max_tokens, messages=messages, **more) as stream:
        return await stream.get_final_message()


def user_message(text: str) -> list[Any]:
    """A history of one user message."""
    return [{"role": "user", "content": text}]


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message: Any) -> list[Any]:
    """Names and inputs."""
    return [[block.name, block.input] for block in message.content if block.type == "tool_use"]


def results(content: Iterable[Any]) -> Any:
    """The tool's result for each call."""
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": weather_in(block.input["city"])}
        for block in content
        if block.type == "tool_use"
    ]


async def loop(ask: Any, text: str, **fields: Any) -> Any:
    """Ask and answer calls until there are none; return the last text."""
    messages = user_message(text)
    for _ in range(4):
        message = await ask(messages, tools=TOOLS, **fields)
        messages.append({"role": "assistant", "content": message.content})
        if message.stop_reason != "tool_use":
            return text_of(message)
        messages.append({"role": "user", "content": results(message.content)})
    raise RuntimeError("it never ends")


async def first_calls(ask: Any, text: str, **fields: Any) -> Any:
    message = await ask(user_message(text), tools=TOOLS, **fields)
    return [message.stop_reason, calls_of(message)]


@scenario("plain")
async def create(text: str) -> Any:
    message = await whole(user_message(text))
    return [message.stop_reason, text_of(message)]


@scenario("plain")
async def stream_of_texts(text: str) -> Any:
    async with client.messages.stream(model=MODEL, max_tokens=1000, messages=user_message(text)) as stream:
        deltas = [piece async for piece in stream.text_stream]
        final = await stream.get_final_message()
    assert text_of(final) == "".join(deltas)
    assert final.usage.output_tokens > 0
    return [final.stop_reason, "".join(deltas)]


@scenario("plain")
async def stream_of_events(text: str) -> Any:
    output, reason = "", None
    async for event in await whole(user_message(text), stream=True):
        if event.type == "content_block_delta":
            output += event.delta.text
        elif event.type == "message_delta":
            reason = event.delta.stop_reason
    return [reason, output]


@scenario("weather")
async def tools(text: str) -> Any:
    return await loop(whole, text)


@scenario("weather")
async def tools_streamed(text: str) -> Any:
    return await loop(helped, text, system="Be brief.")


@scenario("pair")
async def parallel_calls(text: str) -> Any:
    return await loop(whole, text)


@scenario("pair")
async def parallel_calls_streamed(text: str) -> Any:
    return await loop(helped, text)


@scenario("retried")
async def broken_at_first_streamed(text: str) -> Any:
    return await loop(helped, text)


@beta_async_tool  # type: ignore[untyped-decorator]
async def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return weather_in(city)


@scenario("weather")
async def tool_runner(text: str) -> Any:
    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=1000,
        messages=user_message(text),
        tools=[get_weather],
        betas=["context-management-2025-06-27"],
    )
    return text_of(await runner.until_done())


@scenario("announced")
async def text_before_a_call_streamed(text: str) -> Any:
    message = await helped(user_message(text), tools=TOOLS)
    return [text_of(message), calls_of(message)]


@scenario("used_forced")
async def any_tool(text: str) -> Any:
    return await first_calls(whole, text, tool_choice={"type": "any"})


@scenario("used_forced")
async def a_named_tool_streamed(text: str) -> Any:
    return await first_calls(helped, text, tool_choice={"type": "tool", "name": "get_weather"})


@scenario("used_one_of_two")
async def one_call_at_a_time(text: str) -> Any:
    return await first_calls(whole, text, tool_choice={"type": "auto", "disable_parallel_tool_use": True})


@scenario("used_never")
async def no_tool(text: str) -> Any:
    message = await whole(user_message(text), tools=TOOLS, tool_choice={"type": "none"})
    return [message.stop_reason, text_of(message)]


@scenario("used_stubborn")
async def prose_where_a_call_is_forced(text: str) -> Any:
    return await failed(whole(user_message(text), tools=TOOLS, tool_choice={"type": "any"}))


@scenario("used_long")
async def cut_within_a_call(text: str) -> Any:
    return await first_calls(helped, text, max_tokens=LONG_ENOUGH)


@scenario("stopped")
async def stopped_at_a_sequence(text: str) -> Any:
    message = await helped(user_message(text), stop_sequences=["three"])
    return [message.stop_reason, message.stop_sequence, text_of(message)]


@scenario("object")
async def parse(text: str) -> Any:
    parsed = await client.messages.parse(
        model=MODEL, max_tokens=1000, messages=user_message(text), output_format=Weather
    )
    return parsed.parsed_output and parsed.parsed_output.model_dump()


@scenario("object")
async def parse_streamed(text: str) -> Any:
    message = await helped(user_message(text), output_format=Weather)
    return message.parsed_output and message.parsed_output.model_dump()


@scenario("counted")
async def count_tokens(text: str) -> Any:
    few = await client.messages.count_tokens(model=MODEL, messages=user_message(text))
    more = await client.messages.count_tokens(model=MODEL, messages=user_message(text), tools=TOOLS)
    return "some tokens" if more.input_tokens > few.input_tokens > 0 else [few, more]


@scenario("listed")
async def models(_text: str) -> Any:
    found = [model async for model in client.models.list(limit=2)]
    claude = await client.models.retrieve("claude-sonnet-4-5")
    names = [model.id for model in found]
    assert len(names) == len(set(names)) > 10
    return [found[0].type, names[names.index(MODEL)], claude.id]


async def failed(request: Any) -> Any:
    """Await a request that fails; return the error's status and type."""
    try:
        await request
    except APIStatusError as error:
        body: Any = error.body
        has_id = error.request_id == body["request_id"]
        return [error.status_code, body["error"]["type"]] if has_id else body
    return None


@scenario("errors")
async def errors(text: str) -> Any:
    strange = client.with_options(api_key="a-wrong-key")
    return [
        await failed(whole([])),
        await failed(strange.messages.create(model=MODEL, max_tokens=5, messages=user_message(text))),
        await failed(client.messages.create(model="nobody", max_tokens=5, messages=user_message(text))),
    ]


@scenario("left")
async def leave_in_the_middle(_text: str) -> Any:
    async with client.messages.stream(model=MODEL, max_tokens=1000, messages=user_message(asking("left"))) as stream:
        return "left" if await anext(stream.text_stream) else None


if __name__ == "__main__":
    perform()
