"""The OpenAI Agents SDK over the Responses API: an agent whose model thinks before it calls a tool."""

import asyncio
import json
import sys

from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

ADDRESS, MODEL = sys.argv[1:]


def look() -> str:
    """Looks."""
    return "seen"


async def main() -> None:
    """Run the agent streamed; print the event types and the last text."""
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=f"{ADDRESS}/v1", api_key="unused", max_retries=0)
    agent = Agent(name="looker", tools=[function_tool(look)], model=OpenAIResponsesModel(MODEL, client))
    run = Runner.run_streamed(agent, "Look.")
    events = [event.data async for event in run.stream_events() if event.type == "raw_response_event"]
    thoughts = [event.delta for event in events if event.type == "response.reasoning_text.delta"]
    kinds = [item.type for item in run.new_items]
    print(json.dumps({"thoughts": thoughts, "kinds": kinds, "last": run.final_output}))


asyncio.run(main())
