"""openai-python without waiting, set up by environment variables alone."""

import os
from collections.abc import AsyncGenerator
from typing import Any

from openai import AsyncOpenAI

from tests.clients.scripts.scenarios import perform


class Chat:
    """A list of messages, resent each time."""

    def __init__(self, typed: list[str], model: str) -> None:
        os.environ |= dict(cell.split("=", 1) for cell in typed)
        self._client = AsyncOpenAI()
        self._model = model
        self._messages: list[Any] = []

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        self._messages.append({"role": "user", "content": text})
        async with self._client.chat.completions.stream(model=self._model, messages=self._messages) as events:
            async for event in events:
                if event.type == "content.delta" and event.delta:
                    yield event.delta
            completion = await events.get_final_completion()
        self._messages.append(completion.choices[0].message)

    async def ask(self, text: str) -> str:
        self._messages.append({"role": "user", "content": text})
        completion = await self._client.chat.completions.create(model=self._model, messages=self._messages)
        self._messages.append(completion.choices[0].message)
        return completion.choices[0].message.content or ""


perform(Chat)
