"""LiteLLM's client."""

from collections.abc import AsyncGenerator
from typing import Any

import litellm

from tests.clients.scripts.scenarios import perform


class Chat:
    """A list of messages, resent each time."""

    def __init__(self, typed: list[str], _model: str) -> None:
        self._settings: dict[str, str] = eval(f"dict({typed[1]})")
        self._messages: list[Any] = []

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        self._messages.append({"role": "user", "content": text})
        answer = ""
        chunks = await litellm.acompletion(messages=self._messages, stream=True, **self._settings)
        try:
            async for chunk in chunks:
                if piece := chunk.choices[0].delta.content:
                    answer += piece
                    yield piece
        finally:
            await chunks.aclose()
        self._messages.append({"role": "assistant", "content": answer})

    async def ask(self, text: str) -> str:
        self._messages.append({"role": "user", "content": text})
        completion = litellm.completion(messages=self._messages, **self._settings)
        self._messages.append(completion.choices[0].message)
        return str(completion.choices[0].message.content)


perform(Chat)
