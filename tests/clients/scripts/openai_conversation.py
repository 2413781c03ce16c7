"""openai-python with a conversation that the proxy keeps: only what is new is sent."""

from collections.abc import AsyncGenerator
from typing import Any

from openai import OpenAI

from tests.clients.scripts.scenarios import perform


class Chat:
    """The id of a conversation."""

    def __init__(self, typed: list[str], model: str) -> None:
        self._client: OpenAI = eval(typed[0])
        self._model = model
        self._conversation = self._client.conversations.create().id

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        with self._client.chat.completions.create(**self._turn(text), stream=True) as chunks:
            for chunk in chunks:
                if piece := chunk.choices[0].delta.content:
                    yield piece

    async def ask(self, text: str) -> str:
        completion = self._client.chat.completions.create(**self._turn(text))
        return completion.choices[0].message.content or ""

    def _turn(self, text: str) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "extra_body": {"conversation_id": self._conversation},
        }


perform(Chat)
