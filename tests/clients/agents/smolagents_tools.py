"""smolagents: its agent that calls tools; the answer too is one."""

import asyncio
from typing import Any

from smolagents import LogLevel, OpenAIModel, ToolCallingAgent, tool

from tests.clients.agents.telling import BASE_URL, KEY, MODEL, perform, scenario, weather_in


def get_weather(city: str) -> str:
    """
    Tell the weather in a city.

    Args:
        city: Its name.
    """
    return weather_in(city)


def answers(text: str, *, stream: bool) -> Any:
    """What an agent with the tool answers."""
    model = OpenAIModel(MODEL, api_base=BASE_URL, api_key=KEY, client_kwargs={"max_retries": 0})
    agent = ToolCallingAgent(
        tools=[tool(get_weather)], model=model, max_steps=4, stream_outputs=stream, verbosity_level=LogLevel.OFF
    )
    return agent.run(text)


@scenario("final_answer")
async def tool_calling_agent(text: str) -> Any:
    return await asyncio.to_thread(answers, text, stream=False)


@scenario("final_answer")
async def tool_calling_agent_streamed(text: str) -> Any:
    return await asyncio.to_thread(answers, text, stream=True)


if __name__ == "__main__":
    perform()
