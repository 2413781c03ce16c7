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


async def whole(messages: list[Any], max_tokens: int = 1000, **more: Any) -> Any:
    """One message."""
    return await client.messages.create(model=MODEL, max_tokens=max_tokens, messages=messages, **more)


async def helped(messages: list[Any], max_tokens: int = 1000, **more: Any) -> Any:
    """The same, streamed and put together by the SDK."""
    async with client.messages.stream(model=MODEL, max_tokens=max_tokens, messages=messages, **more) as stream:
        return await stream.get_final_message()


def said(text: str) -> list[Any]:
    """What the user says."""
    return [{"role": "user", "content": text}]


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message: Any) -> list[Any]:
    """Names and inputs."""
    return [[block.name, block.input] for block in message.content if block.type == "tool_use"]


def results(content: Iterable[Any]) -> Any:
    """What the tool gave for each call."""
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": weather_in(block.input["city"])}
        for block in content
        if block.type == "tool_use"
    ]


async def loop(ask: Any, text: str, **more: Any) -> Any:
    """Ask, answer what is called until nothing is, and tell the last text."""
    messages = said(text)
    for _ in range(4):
        message = await ask(messages, tools=TOOLS, **more)
        messages.append({"role": "assistant", "content": message.content})
        if message.stop_reason != "tool_use":
            return text_of(message)
        messages.append({"role": "user", "content": results(message.content)})
    raise RuntimeError("it never ends")


async def first_calls(ask: Any, text: str, **more: Any) -> Any:
    message = await ask(said(text), tools=TOOLS, **more)
    return [message.stop_reason, calls_of(message)]


@scenario("plain")
async def create(text: str) -> Any:
    message = await whole(said(text))
    return [message.stop_reason, text_of(message)]


@scenario("plain")
async def stream_of_texts(text: str) -> Any:
    async with client.messages.stream(model=MODEL, max_tokens=1000, messages=said(text)) as stream:
        told = [piece async for piece in stream.text_stream]
        final = await stream.get_final_message()
    assert text_of(final) == "".join(told)
    assert final.usage.output_tokens > 0
    return [final.stop_reason, "".join(told)]


@scenario("plain")
async def stream_of_events(text: str) -> Any:
    told, reason = "", None
    async for event in await whole(said(text), stream=True):
        if event.type == "content_block_delta":
            told += event.delta.text
        elif event.type == "message_delta":
            reason = event.delta.stop_reason
    return [reason, told]


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
        model=MODEL, max_tokens=1000, messages=said(text), tools=[get_weather], betas=["context-management-2025-06-27"]
    )
    return text_of(await runner.until_done())


@scenario("announced")
async def text_before_a_call_streamed(text: str) -> Any:
    message = await helped(said(text), tools=TOOLS)
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
    message = await whole(said(text), tools=TOOLS, tool_choice={"type": "none"})
    return [message.stop_reason, text_of(message)]


@scenario("used_stubborn")
async def prose_where_a_call_is_forced(text: str) -> Any:
    return await failed(whole(said(text), tools=TOOLS, tool_choice={"type": "any"}))


@scenario("used_long")
async def cut_within_a_call(text: str) -> Any:
    return await first_calls(helped, text, max_tokens=LONG_ENOUGH)


@scenario("stopped")
async def stopped_at_a_sequence(text: str) -> Any:
    message = await helped(said(text), stop_sequences=["three"])
    return [message.stop_reason, message.stop_sequence, text_of(message)]


@scenario("object")
async def parse(text: str) -> Any:
    parsed = await client.messages.parse(model=MODEL, max_tokens=1000, messages=said(text), output_format=Weather)
    return parsed.parsed_output and parsed.parsed_output.model_dump()


@scenario("object")
async def parse_streamed(text: str) -> Any:
    message = await helped(said(text), output_format=Weather)
    return message.parsed_output and message.parsed_output.model_dump()


@scenario("counted")
async def count_tokens(text: str) -> Any:
    few = await client.messages.count_tokens(model=MODEL, messages=said(text))
    more = await client.messages.count_tokens(model=MODEL, messages=said(text), tools=TOOLS)
    return "some tokens" if more.input_tokens > few.input_tokens > 0 else [few, more]


@scenario("listed")
async def models(_text: str) -> Any:
    found = [model async for model in client.models.list(limit=2)]
    claude = await client.models.retrieve("claude-sonnet-4-5")
    names = [model.id for model in found]
    assert len(names) == len(set(names)) > 10
    return [found[0].type, names[names.index(MODEL)], claude.id]


async def failed(asked: Any) -> Any:
    """The status and type of the error."""
    try:
        await asked
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
        await failed(strange.messages.create(model=MODEL, max_tokens=5, messages=said(text))),
        await failed(client.messages.create(model="nobody", max_tokens=5, messages=said(text))),
    ]


@scenario("left")
async def leave_in_the_middle(_text: str) -> Any:
    async with client.messages.stream(model=MODEL, max_tokens=1000, messages=said(asking("left"))) as stream:
        return "left" if await anext(stream.text_stream) else None


if __name__ == "__main__":
    perform()
