"""openai-python."""

from collections.abc import AsyncGenerator
from typing import Any

from openai import OpenAI

from tests.clients.scripts.scenarios import perform


class Chat:
    """A list of messages, resent each time."""

    def __init__(self, typed: list[str], model: str) -> None:
        self._client: OpenAI = eval(typed[0])
        self._model = model
        self._messages: list[Any] = []

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        self._messages.append({"role": "user", "content": text})
        answer = ""
        with self._client.chat.completions.create(
            model=self._model, messages=self._messages, stream=True, stream_options={"include_usage": True}
        ) as chunks:
            for chunk in chunks:
                if chunk.choices and (piece := chunk.choices[0].delta.content):
                    answer += piece
                    yield piece
        self._messages.append({"role": "assistant", "content": answer})

    async def ask(self, text: str) -> str:
        self._messages.append({"role": "user", "content": text})
        completion = self._client.chat.completions.create(model=self._model, messages=self._messages)
        self._messages.append(completion.choices[0].message)
        return completion.choices[0].message.content or ""


perform(Chat)
