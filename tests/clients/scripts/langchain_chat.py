"""LangChain's chat model for OpenAI."""

from collections.abc import AsyncGenerator

from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_openai import ChatOpenAI

from tests.clients.scripts.scenarios import perform


class Chat:
    """A list of LangChain's messages, resent each time."""

    def __init__(self, typed: list[str], _model: str) -> None:
        self._model: ChatOpenAI = eval(typed[0])
        self._messages: list[BaseMessage] = []

    async def stream(self, text: str) -> AsyncGenerator[str, None]:
        self._messages.append(HumanMessage(text))
        answer = AIMessageChunk("")
        async for chunk in self._model.astream(self._messages):
            answer += chunk
            if chunk.text:
                yield chunk.text
        self._messages.append(answer)

    async def ask(self, text: str) -> str:
        self._messages.append(HumanMessage(text))
        answer = await self._model.ainvoke(self._messages)
        self._messages.append(answer)
        return str(answer.text)


perform(Chat)
