"""An agent of pydantic-ai."""

from collections.abc import AsyncGenerator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.clients.scripts.scenarios import perform

NAMES = {"Agent": Agent, "OpenAIChatModel": OpenAIChatModel, "OpenAIProvider": OpenAIProvider}


class Chat:
    """The messages of each run are the history of the next."""

    def __init__(self, typed: list[str], _model: str) -> None:
        self._agent: Agent = eval(typed[0], NAMES)
        self._history: list[Any] = []

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        async with self._agent.run_stream(text, message_history=self._history) as run:
            async for piece in run.stream_text(delta=True, debounce_by=None):
                yield piece
        self._history = run.all_messages()

    async def ask(self, text: str) -> str:
        run = await self._agent.run(text, message_history=self._history)
        self._history = run.all_messages()
        return str(run.output)


perform(Chat)
