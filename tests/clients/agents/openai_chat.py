"""openai-python, chat completions."""

import json
from collections.abc import Iterable
from typing import Any

from openai import APIStatusError, AsyncOpenAI, pydantic_function_tool

from tests.clients.agents.telling import (
    BASE_URL,
    FUNCTION,
    KEY,
    MODEL,
    Weather,
    asking,
    perform,
    scenario,
    weather_in,
)
from tests.site.agent.writing import BEYOND_REPAIR, CALLS

client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
TOOLS: list[Any] = [{"type": "function", "function": FUNCTION}]
NOTE: Any = {"type": "custom", "custom": {"name": "note", "description": "Keep a note."}}
DRIFTS = [form for form in CALLS if form not in BEYOND_REPAIR]
LONG_ENOUGH = 8  # tokens, for a call to have begun and not ended


async def whole(messages: list[Any], **fields: Any) -> Any:
    """One answer and its finish reason."""
    choice = (await client.chat.completions.create(model=MODEL, messages=messages, **fields)).choices[0]
    return choice.message, choice.finish_reason


async def pieces(messages: list[Any], **more: Any) -> Any:
    """The same, streamed and assembled as the API reference says."""
    message: dict[str, Any] = {"role": None, "content": "", "tool_calls": []}
    reason = None
    stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True, **more)
    async for chunk in stream:
        for choice in chunk.choices:
            delta = choice.delta
            message["role"] = message["role"] or delta.role
            message["content"] += delta.content or ""
            for call in delta.tool_calls or ():
                add_piece(message["tool_calls"], call.model_dump(exclude_none=True))
            reason = choice.finish_reason or reason
    return message, reason


def add_piece(calls: list[Any], piece: dict[str, Any]) -> None:
    """Merge one delta of a call into the others."""
    if piece["index"] == len(calls):
        calls.append({"id": piece["id"], "type": piece["type"], "function": {"name": "", "arguments": ""}})
    function = calls[piece["index"]]["function"]
    function["name"] += piece["function"].get("name", "")
    function["arguments"] += piece["function"].get("arguments", "")


def plain(message: Any) -> dict[str, Any]:
    """A message of either type as it is sent back."""
    fields: dict[str, Any] = message if isinstance(message, dict) else message.model_dump(exclude_none=True)
    return fields if fields.get("tool_calls") else {key: value for key, value in fields.items() if key != "tool_calls"}


def calls_of(message: Any) -> list[Any]:
    """Names and arguments."""
    functions = (call["function"] for call in plain(message).get("tool_calls", ()))
    return [[function["name"], json.loads(function["arguments"])] for function in functions]


async def loop(ask: Any, text: str, **fields: Any) -> Any:
    """Ask and answer calls until there are none; return the last text."""
    messages: list[Any] = [{"role": "user", "content": text}]
    for _ in range(4):
        message, reason = await ask(messages, tools=TOOLS, **fields)
        messages.append(plain(message))
        if reason != "tool_calls":
            return messages[-1]["content"]
        messages += results(messages[-1]["tool_calls"])
    raise RuntimeError("it never ends")


def results(calls: Iterable[Any]) -> list[Any]:
    """The tool's result for each call."""
    return [
        {
            "role": "tool",
            "tool_call_id": call["id"],
            "content": weather_in(json.loads(call["function"]["arguments"])["city"]),
        }
        for call in calls
    ]


@scenario("weather")
async def create(text: str) -> Any:
    return await loop(whole, text)


@scenario("weather")
async def create_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("pair")
async def parallel_calls(text: str) -> Any:
    return await loop(whole, text)


@scenario("pair")
async def parallel_calls_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("retried")
async def broken_at_first(text: str) -> Any:
    return await loop(whole, text)


@scenario("retried")
async def broken_at_first_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("pair_retried")
async def half_of_it_broken_at_first(text: str) -> Any:
    return await loop(whole, text)


@scenario("pair_retried")
async def half_of_it_broken_at_first_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("imitated")
async def an_invented_result(text: str) -> Any:
    return await loop(whole, text)


@scenario("imitated")
async def an_invented_result_streamed(text: str) -> Any:
    return await loop(pieces, text)


@scenario("announced")
async def text_before_a_call(text: str) -> Any:
    message, _ = await whole([{"role": "user", "content": text}], tools=TOOLS)
    return [message.content, calls_of(message)]


@scenario("announced")
async def text_before_a_call_streamed(text: str) -> Any:
    message, _ = await pieces([{"role": "user", "content": text}], tools=TOOLS)
    return [message["content"], calls_of(message)]


async def first_calls(ask: Any, text: str, **more: Any) -> Any:
    message, reason = await ask([{"role": "user", "content": text}], tools=TOOLS, **more)
    return [reason, calls_of(message)]


@scenario("forced")
async def required(text: str) -> Any:
    return await first_calls(whole, text, tool_choice="required")


@scenario("forced")
async def named(text: str) -> Any:
    return await first_calls(whole, text, tool_choice={"type": "function", "function": {"name": "get_weather"}})


@scenario("forced")
async def named_streamed(text: str) -> Any:
    return await first_calls(pieces, text, tool_choice={"type": "function", "function": {"name": "get_weather"}})


@scenario("one_of_two")
async def one_call_at_a_time(text: str) -> Any:
    return await first_calls(whole, text, parallel_tool_calls=False)


@scenario("no_choice")
async def no_choice(text: str) -> Any:
    message, reason = await whole([{"role": "user", "content": text}], tools=TOOLS, tool_choice="none")
    return [reason, message.content]


@scenario("stubborn")
async def prose_where_a_call_is_forced(text: str) -> Any:
    try:
        await whole([{"role": "user", "content": text}], tools=TOOLS, tool_choice="required")
    except APIStatusError as error:
        return [error.status_code, error.code]


@scenario("long")
async def cut_within_a_call(text: str) -> Any:
    return await first_calls(whole, text, max_tokens=LONG_ENOUGH)


@scenario("long")
async def cut_within_a_call_streamed(text: str) -> Any:
    return await first_calls(pieces, text, max_tokens=LONG_ENOUGH)


@scenario("drift")
async def drifted(_text: str) -> Any:
    return {form: await first_calls(whole, asking(f"drift-{form}")) for form in DRIFTS}


@scenario("drift")
async def drifted_streamed(_text: str) -> Any:
    return {form: await first_calls(pieces, asking(f"drift-{form}")) for form in DRIFTS}


@scenario("note")
async def a_custom_tool(text: str) -> Any:
    message, reason = await whole([{"role": "user", "content": text}], tools=[NOTE])
    return [reason, [[call.custom.name, call.custom.input] for call in message.tool_calls or ()]]


@scenario("functions")
async def the_older_functions(text: str) -> Any:
    messages: list[Any] = [{"role": "user", "content": text}]
    message, reason = await whole(messages, functions=[FUNCTION])
    city = json.loads(message.function_call.arguments)["city"]
    answer = {"role": "function", "name": "get_weather", "content": weather_in(city)}
    last, _ = await whole([*messages, plain(message), answer], functions=[FUNCTION])
    return [reason, last.content]


@scenario("weather_tool")
async def stream_helper(text: str) -> Any:
    messages: list[Any] = [{"role": "user", "content": text}]
    tool = pydantic_function_tool(Weather)
    arguments = []
    async with client.chat.completions.stream(model=MODEL, messages=messages, tools=[tool]) as stream:
        async for event in stream:
            if event.type == "tool_calls.function.arguments.done":
                arguments.append(event.parsed_arguments)
        final = await stream.get_final_completion()
    parsed = [call.function.parsed_arguments for call in final.choices[0].message.tool_calls or ()]
    return [weather.model_dump() for weather in (*arguments, *parsed) if isinstance(weather, Weather)]


@scenario("object")
async def parse(text: str) -> Any:
    messages: list[Any] = [{"role": "user", "content": text}]
    completion = await client.chat.completions.parse(model=MODEL, messages=messages, response_format=Weather)
    parsed = completion.choices[0].message.parsed
    return parsed and parsed.model_dump()


@scenario("object_retried")
async def parse_what_was_broken_at_first(text: str) -> Any:
    return await parse(text)


@scenario("object")
async def parse_streamed(text: str) -> Any:
    messages: list[Any] = [{"role": "user", "content": text}]
    async with client.chat.completions.stream(model=MODEL, messages=messages, response_format=Weather) as stream:
        async for _ in stream:
            pass
        parsed = (await stream.get_final_completion()).choices[0].message.parsed
    return parsed and parsed.model_dump()


@scenario("object")
async def json_object(text: str) -> Any:
    message, _ = await whole([{"role": "user", "content": text}], response_format={"type": "json_object"})
    return json.loads(message.content)


@scenario("object_hopeless")
async def what_fits_no_schema(text: str) -> Any:
    try:
        await parse(text)
    except APIStatusError as error:
        return [error.status_code, error.code]


if __name__ == "__main__":
    perform()
