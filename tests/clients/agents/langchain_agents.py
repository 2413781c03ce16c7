"""LangChain: an agent with a tool, and answers by schema in its three ways."""

from typing import Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from tests.clients.agents.telling import BASE_URL, KEY, MODEL, Weather, asking, perform, scenario, weather_in


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return weather_in(city)


def model(*, responses: bool = False, streaming: bool = False) -> ChatOpenAI:
    """A model of either API."""
    return ChatOpenAI(
        model=MODEL, base_url=BASE_URL, api_key=KEY, max_retries=0, use_responses_api=responses, streaming=streaming
    )


async def agent_says(text: str, **how: bool) -> Any:
    """Return the final answer of an agent."""
    agent = create_agent(model(**how), tools=[get_weather], system_prompt="You tell the weather.")
    state = await agent.ainvoke({"messages": [{"role": "user", "content": text}]})
    return state["messages"][-1].text


async def agent_streams(text: str, **how: bool) -> Any:
    """The same, streamed."""
    agent = create_agent(model(**how), tools=[get_weather], system_prompt="You tell the weather.")
    output = ""
    messages = {"messages": [{"role": "user", "content": text}]}
    async for piece, _ in agent.astream(messages, stream_mode="messages"):
        if isinstance(piece, AIMessageChunk):
            output += piece.text
    return output


@scenario("weather")
async def agent(text: str) -> Any:
    return await agent_says(text)


@scenario("pair")
async def agent_with_parallel_calls(text: str) -> Any:
    return await agent_says(text)


@scenario("weather")
async def agent_streamed(text: str) -> Any:
    return await agent_streams(text, streaming=True)


@scenario("weather")
async def agent_on_responses(text: str) -> Any:
    return await agent_says(text, responses=True)


@scenario("weather")
async def agent_on_responses_streamed(text: str) -> Any:
    return await agent_streams(text, responses=True, streaming=True)


async def structured(text: str, method: Literal["function_calling", "json_mode", "json_schema"]) -> Any:
    weather = await model().with_structured_output(Weather, method=method).ainvoke(f"{text} Answer in JSON.")
    assert isinstance(weather, Weather)
    return weather.model_dump()


@scenario("object_call")
async def by_function_calling(text: str) -> Any:
    return await structured(text, "function_calling")


@scenario("object")
async def by_json_mode(text: str) -> Any:
    return await structured(text, "json_mode")


@scenario("object")
async def by_json_schema(text: str) -> Any:
    return await structured(text, "json_schema")


@scenario("object")
async def by_json_schema_streamed(text: str) -> Any:
    last = None
    async for piece in model(streaming=True).with_structured_output(Weather, method="json_schema").astream(text):
        last = piece
    assert isinstance(last, Weather)
    return last.model_dump()


@scenario("weather_then_object")
async def agent_with_a_schema(text: str) -> Any:
    agent = create_agent(model(), tools=[get_weather], response_format=Weather)
    state = await agent.ainvoke({"messages": [{"role": "user", "content": text}]})
    return state["structured_response"].model_dump()


@scenario("weather")
async def two_turns(text: str) -> Any:
    agent = create_agent(model(), tools=[get_weather])
    state = await agent.ainvoke({"messages": [{"role": "user", "content": asking("pair")}]})
    state = await agent.ainvoke({"messages": [*state["messages"], {"role": "user", "content": text}]})
    return state["messages"][-1].text


if __name__ == "__main__":
    perform()
