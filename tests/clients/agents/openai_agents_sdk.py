"""OpenAI's Agents SDK, on both APIs."""

from typing import Any

from agents import (
    Agent,
    ApplyPatchTool,
    LocalShellTool,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    ShellTool,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from tests.clients.agents.telling import BASE_URL, KEY, MODEL, Weather, asking, perform, scenario, weather_in

set_tracing_disabled(True)
client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
CHAT = OpenAIChatCompletionsModel(MODEL, client)
RESPONSES = OpenAIResponsesModel(MODEL, client)


def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return weather_in(city)


TOOLS = [function_tool(get_weather)]


def forecaster(model: Any, **more: Any) -> Any:
    """An agent with the tool."""
    return Agent(name="Forecaster", instructions="You tell the weather.", model=model, tools=TOOLS, **more)


async def says(agent: Any, text: str, **options: Any) -> Any:
    """Return the agent's final output."""
    return (await Runner.run(agent, text, max_turns=5, **options)).final_output


async def streams(agent: Any, text: str) -> Any:
    """The same, streamed."""
    result = Runner.run_streamed(agent, text, max_turns=5)
    async for _ in result.stream_events():
        pass
    return result.final_output


class Machine:
    """What OpenAI's own tools are asked to do, in order."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.tools = [
            ShellTool(lambda asked: self._do(asked.data.action.commands)),
            LocalShellTool(lambda asked: self._do(asked.data.action.command)),
            ApplyPatchTool(self),
        ]

    def _do(self, what: Any) -> str:
        self.done.append(what)
        return "done"

    def create_file(self, operation: Any) -> str:
        return self._do([operation.path, operation.diff])

    update_file = delete_file = create_file

    async def runs(self, text: str, use: Any, **options: Any) -> Any:
        """What an agent with these tools did, in the order of the tools, and its final output."""
        agent = Agent(name="Builder", model=RESPONSES, tools=self.tools)
        said = await use(agent, text, **options)
        return [*sorted(self.done, key=lambda done: ["ls", "bash", "a.txt"].index(done[0])), said]


async def hands_over(model: Any, text: str) -> Any:
    """One agent hands over to another, which has the tool."""
    desk = Agent(name="Desk", instructions="You hand over.", model=model, handoffs=[forecaster(model)])
    return await says(desk, text)


async def remembers(model: Any, text: str) -> Any:
    """A session keeps what was said and called."""
    session = SQLiteSession("visitor")
    await says(forecaster(model), asking("pair"), session=session)
    return await says(forecaster(model), text, session=session)


@scenario("weather")
async def chat(text: str) -> Any:
    return await says(forecaster(CHAT), text)


@scenario("weather")
async def chat_streamed(text: str) -> Any:
    return await streams(forecaster(CHAT), text)


@scenario("pair")
async def chat_with_parallel_calls(text: str) -> Any:
    return await says(forecaster(CHAT), text)


@scenario("handoff")
async def chat_handoff(text: str) -> Any:
    return await hands_over(CHAT, text)


@scenario("forced_loop")
async def chat_forced(text: str) -> Any:
    return await says(forecaster(CHAT, model_settings=ModelSettings(tool_choice="required")), text)


@scenario("weather")
async def chat_session(text: str) -> Any:
    return await remembers(CHAT, text)


@scenario("weather_then_object")
async def chat_with_a_schema(text: str) -> Any:
    return (await says(forecaster(CHAT, output_type=Weather), text)).model_dump()


@scenario("weather")
async def responses(text: str) -> Any:
    return await says(forecaster(RESPONSES), text)


@scenario("weather")
async def responses_streamed(text: str) -> Any:
    return await streams(forecaster(RESPONSES), text)


@scenario("pair")
async def responses_with_parallel_calls(text: str) -> Any:
    return await streams(forecaster(RESPONSES), text)


@scenario("handoff")
async def responses_handoff(text: str) -> Any:
    return await hands_over(RESPONSES, text)


@scenario("forced_loop")
async def responses_forced(text: str) -> Any:
    return await says(forecaster(RESPONSES, model_settings=ModelSettings(tool_choice="get_weather")), text)


@scenario("weather")
async def responses_session(text: str) -> Any:
    return await remembers(RESPONSES, text)


@scenario("weather")
async def responses_naming_the_one_before(text: str) -> Any:
    return await says(forecaster(RESPONSES), text, auto_previous_response_id=True)


@scenario("defined")
async def responses_with_tools_of_openais(text: str) -> Any:
    return await Machine().runs(text, says)


@scenario("defined")
async def responses_streamed_with_tools_of_openais(text: str) -> Any:
    return await Machine().runs(text, streams)


@scenario("defined")
async def responses_with_tools_of_openais_naming_the_one_before(text: str) -> Any:
    return await Machine().runs(text, says, auto_previous_response_id=True)


@scenario("weather_then_object")
async def responses_with_a_schema(text: str) -> Any:
    return (await streams(forecaster(RESPONSES, output_type=Weather), text)).model_dump()


if __name__ == "__main__":
    perform()
