"""LlamaIndex: an agent that calls functions."""

from typing import Any

from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.workflow import Context
from llama_index.llms.openai_like import OpenAILike

from tests.clients.agents.telling import BASE_URL, KEY, MODEL, Weather, asking, perform, scenario, weather_in


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return weather_in(city)


def llm() -> OpenAILike:
    """The model."""
    return OpenAILike(
        model=MODEL,
        api_base=BASE_URL,
        api_key=KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        context_window=100_000,
        max_retries=0,
    )


def agent(*, streaming: bool) -> FunctionAgent:
    """An agent with the tool."""
    return FunctionAgent(tools=[get_weather], llm=llm(), system_prompt="You tell the weather.", streaming=streaming)


@scenario("weather")
async def function_agent(text: str) -> Any:
    return str(await agent(streaming=False).run(text))


@scenario("weather")
async def function_agent_streamed(text: str) -> Any:
    handler = agent(streaming=True).run(text)
    deltas = [event.delta async for event in handler.stream_events() if isinstance(event, AgentStream)]
    await handler
    return "".join(deltas)


@scenario("pair")
async def function_agent_with_parallel_calls(text: str) -> Any:
    return str(await agent(streaming=True).run(text))


@scenario("weather")
async def function_agent_that_remembers(text: str) -> Any:
    forecaster = agent(streaming=False)
    context: Context[Any] = Context(forecaster)
    await forecaster.run(asking("pair"), ctx=context)
    return str(await forecaster.run(text, ctx=context))


@scenario("object_call")
async def structured_llm(text: str) -> Any:
    answer = await llm().as_structured_llm(Weather).acomplete(text)
    return answer.raw.model_dump()


if __name__ == "__main__":
    perform()
