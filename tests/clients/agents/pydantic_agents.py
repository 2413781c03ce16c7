"""pydantic-ai, on both APIs: tools, and its three ways to an object."""

from typing import Any

from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.agents.telling import BASE_URL, KEY, MODEL, Weather, asking, perform, scenario, weather_in

provider = OpenAIProvider(base_url=BASE_URL, api_key=KEY)
CHAT = OpenAIChatModel(MODEL, provider=provider)
RESPONSES = OpenAIResponsesModel(MODEL, provider=provider)


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return weather_in(city)


async def says(model: Any, text: str) -> Any:
    """Return the final answer of an agent with the tool."""
    return (await Agent(model, tools=[get_weather], instructions="You tell the weather.").run(text)).output


async def streams(model: Any, text: str) -> Any:
    """The same, streamed."""
    agent: Any = Agent(model, tools=[get_weather], instructions="You tell the weather.")
    async with agent.run_stream(text) as result:
        return "".join([piece async for piece in result.stream_text(delta=True)])


async def gives(model: Any, output: Any, text: str) -> Any:
    """An object."""
    return (await Agent(model, output_type=output).run(text)).output.model_dump()


async def streams_object(model: Any, output: Any, text: str) -> Any:
    """An object streamed in parts, of which the last is complete."""
    agent: Any = Agent(model, output_type=output)
    async with agent.run_stream(text) as result:
        pieces = [piece async for piece in result.stream_output()]
    return pieces[-1].model_dump()


@scenario("weather")
async def chat(text: str) -> Any:
    return await says(CHAT, text)


@scenario("weather")
async def chat_streamed(text: str) -> Any:
    return await streams(CHAT, text)


@scenario("pair")
async def chat_with_parallel_calls(text: str) -> Any:
    return await says(CHAT, text)


@scenario("weather")
async def chat_second_turn(text: str) -> Any:
    agent: Any = Agent(CHAT, tools=[get_weather])
    first = await agent.run(asking("pair"))
    return (await agent.run(text, message_history=first.all_messages())).output


@scenario("final_result")
async def chat_tool_output(text: str) -> Any:
    return await gives(CHAT, ToolOutput(Weather), text)


@scenario("final_result")
async def chat_tool_output_streamed(text: str) -> Any:
    return await streams_object(CHAT, ToolOutput(Weather), text)


@scenario("object")
async def chat_native_output(text: str) -> Any:
    return await gives(CHAT, NativeOutput(Weather), text)


@scenario("object")
async def chat_native_output_streamed(text: str) -> Any:
    return await streams_object(CHAT, NativeOutput(Weather), text)


@scenario("object")
async def chat_prompted_output(text: str) -> Any:
    return await gives(CHAT, PromptedOutput(Weather), text)


@scenario("weather")
async def responses(text: str) -> Any:
    return await says(RESPONSES, text)


@scenario("weather")
async def responses_streamed(text: str) -> Any:
    return await streams(RESPONSES, text)


@scenario("final_result")
async def responses_tool_output(text: str) -> Any:
    return await gives(RESPONSES, ToolOutput(Weather), text)


@scenario("object")
async def responses_native_output(text: str) -> Any:
    return await gives(RESPONSES, NativeOutput(Weather), text)


@scenario("object")
async def responses_native_output_streamed(text: str) -> Any:
    return await streams_object(RESPONSES, NativeOutput(Weather), text)


@scenario("object")
async def responses_prompted_output(text: str) -> Any:
    return await gives(RESPONSES, PromptedOutput(Weather), text)


if __name__ == "__main__":
    perform()
