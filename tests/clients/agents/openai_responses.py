"""openai-python, Responses."""

import json
from typing import Any

from openai import APIStatusError, AsyncOpenAI

from tests.clients.agents.telling import BASE_URL, FUNCTION, KEY, MODEL, Weather, perform, scenario, weather_in

client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
TOOLS: list[Any] = [{"type": "function", **FUNCTION, "strict": False}]
NOTE: Any = {"type": "custom", "name": "note", "description": "Keep a note."}


async def whole(input_items: Any, **fields: Any) -> Any:
    """One answer."""
    return await client.responses.create(model=MODEL, input=input_items, **fields)


async def streamed(input_items: Any, **fields: Any) -> Any:
    """The same, streamed: the response of the last event, after a check against the items of the earlier events."""
    items: list[Any] = []
    arguments: dict[str, str] = {}
    final: Any = None
    async for event in await client.responses.create(model=MODEL, input=input_items, stream=True, **fields):
        if event.type == "response.output_item.done":
            items.append(event.item)
        elif event.type == "response.function_call_arguments.delta":
            arguments[event.item_id] = arguments.get(event.item_id, "") + event.delta
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            final = event.response
    assert final is not None
    assert items == final.output
    assert arguments == {item.id: item.arguments for item in items if item.type == "function_call"}
    return final


def results(response: Any) -> list[Any]:
    """The tool's result for each call of a response."""
    return [
        {
            "type": "function_call_output",
            "call_id": item.call_id,
            "output": weather_in(json.loads(item.arguments)["city"]),
        }
        for item in response.output
        if item.type == "function_call"
    ]


async def resending(ask: Any, text: str, **fields: Any) -> Any:
    """Run the loop of a client that resends the whole history."""
    items: list[Any] = [{"role": "user", "content": text}]
    for _ in range(4):
        response = await ask(items, tools=TOOLS, store=False, **fields)
        items += [item.model_dump(exclude_none=True) for item in response.output]
        if not (found := results(response)):
            return response.output_text
        items += found
    raise RuntimeError("it never ends")


async def remembered(ask: Any, text: str) -> Any:
    """Run the loop of a client that uses `previous_response_id`."""
    response = await ask(text, tools=TOOLS)
    for _ in range(4):
        if not (found := results(response)):
            return response.output_text
        response = await ask(found, tools=TOOLS, previous_response_id=response.id)
    raise RuntimeError("it never ends")


def calls_of(response: Any) -> list[Any]:
    """Names and arguments."""
    return [[item.name, json.loads(item.arguments)] for item in response.output if item.type == "function_call"]


@scenario("weather")
async def create(text: str) -> Any:
    return await resending(whole, text)


@scenario("weather")
async def create_streamed(text: str) -> Any:
    return await resending(streamed, text)


@scenario("weather")
async def previous_response(text: str) -> Any:
    return await remembered(whole, text)


@scenario("weather")
async def previous_response_streamed(text: str) -> Any:
    return await remembered(streamed, text)


@scenario("pair")
async def parallel_calls(text: str) -> Any:
    return await resending(whole, text)


@scenario("pair")
async def parallel_calls_streamed(text: str) -> Any:
    return await remembered(streamed, text)


@scenario("retried")
async def broken_at_first(text: str) -> Any:
    return await resending(whole, text)


@scenario("retried")
async def broken_at_first_streamed(text: str) -> Any:
    return await remembered(streamed, text)


@scenario("announced")
async def text_before_a_call(text: str) -> Any:
    response = await whole(text, tools=TOOLS)
    assert [item.type for item in response.output] == ["message", "function_call"]
    return [response.output_text, calls_of(response)]


@scenario("announced")
async def text_before_a_call_streamed(text: str) -> Any:
    response = await streamed(text, tools=TOOLS)
    return [response.output_text, calls_of(response)]


@scenario("forced_only")
async def required(text: str) -> Any:
    return calls_of(await whole(text, tools=TOOLS, tool_choice="required"))


@scenario("forced_only")
async def named(text: str) -> Any:
    return calls_of(await whole(text, tools=TOOLS, tool_choice={"type": "function", "name": "get_weather"}))


@scenario("forced_only")
async def named_streamed(text: str) -> Any:
    return calls_of(await streamed(text, tools=TOOLS, tool_choice={"type": "function", "name": "get_weather"}))


@scenario("stubborn")
async def prose_where_a_call_is_forced(text: str) -> Any:
    try:
        await whole(text, tools=TOOLS, tool_choice="required")
    except APIStatusError as error:
        return [error.status_code, error.code]


@scenario("note_only")
async def a_custom_tool(text: str) -> Any:
    response = await whole(text, tools=[NOTE])
    return [[item.name, item.input] for item in response.output if item.type == "custom_tool_call"]


@scenario("note_only")
async def a_custom_tool_streamed(text: str) -> Any:
    input_text, final = "", None
    async for event in await client.responses.create(model=MODEL, input=text, tools=[NOTE], stream=True):
        if event.type == "response.custom_tool_call_input.delta":
            input_text += event.delta
        elif event.type == "response.custom_tool_call_input.done":
            assert event.input == input_text
        elif event.type == "response.completed":
            final = event.response
    assert final is not None
    calls = [[item.name, item.input] for item in final.output if item.type == "custom_tool_call"]
    assert [call[1] for call in calls] == [input_text]
    return calls


@scenario("weather")
async def stream_helper(text: str) -> Any:
    async with client.responses.stream(model=MODEL, input=text, tools=TOOLS) as stream:
        async for _ in stream:
            pass
        response = await stream.get_final_response()
    last = await whole(results(response), tools=TOOLS, previous_response_id=response.id)
    return last.output_text


@scenario("object")
async def parse(text: str) -> Any:
    response = await client.responses.parse(model=MODEL, input=text, text_format=Weather)
    return response.output_parsed and response.output_parsed.model_dump()


@scenario("object_retried")
async def parse_what_was_broken_at_first(text: str) -> Any:
    return await parse(text)


@scenario("object")
async def parse_streamed(text: str) -> Any:
    async with client.responses.stream(model=MODEL, input=text, text_format=Weather) as stream:
        async for _ in stream:
            pass
        response = await stream.get_final_response()
    return response.output_parsed and response.output_parsed.model_dump()


@scenario("object")
async def json_object(text: str) -> Any:
    response = await whole(text, text={"format": {"type": "json_object"}})
    return json.loads(response.output_text)


if __name__ == "__main__":
    perform()
