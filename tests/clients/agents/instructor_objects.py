"""instructor, in its ways to an object."""

from typing import Any

import instructor
from instructor import Mode, Partial
from openai import AsyncOpenAI

from tests.clients.agents.telling import BASE_URL, KEY, MODEL, Weather, perform, scenario

openai = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)


async def gives(mode: Mode, text: str) -> Any:
    """An object."""
    client = instructor.from_openai(openai, mode=mode)
    weather = await client.create(
        model=MODEL, response_model=Weather, messages=[{"role": "user", "content": text}], max_retries=0
    )
    return weather.model_dump()


async def grows(mode: Mode, text: str) -> Any:
    """The last state of an object that is streamed."""
    client = instructor.from_openai(openai, mode=mode)
    pieces = client.create_partial(
        model=MODEL, response_model=Weather, messages=[{"role": "user", "content": text}], max_retries=0
    )
    return [piece.model_dump() async for piece in pieces][-1]


@scenario("object_call")
async def by_tools(text: str) -> Any:
    return await gives(Mode.TOOLS, text)


@scenario("partial_call")
async def by_tools_partial(text: str) -> Any:
    return await grows(Mode.TOOLS, text)


@scenario("object")
async def by_json(text: str) -> Any:
    return await gives(Mode.JSON, text)


@scenario("object")
async def by_json_schema(text: str) -> Any:
    return await gives(Mode.JSON_SCHEMA, text)


@scenario("object")
async def by_json_schema_partial(text: str) -> Any:
    return await grows(Mode.JSON_SCHEMA, text)


@scenario("object_call")
async def by_responses_tools(text: str) -> Any:
    return await gives(Mode.RESPONSES_TOOLS, text)


@scenario("partial_call")
async def partial_type(text: str) -> Any:
    client = instructor.from_openai(openai, mode=Mode.TOOLS)
    pieces = await client.create(
        model=MODEL,
        response_model=Partial[Weather],
        messages=[{"role": "user", "content": text}],
        stream=True,
        max_retries=0,
    )
    return [piece.model_dump() async for piece in pieces][-1]


if __name__ == "__main__":
    perform()
