"""Several answers to one request, side by side (`n`)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from proxy.api.chat_completions.reply import Ending
from proxy.chat.answer import Answer
from proxy.chat.tokens import Usage

MAX_AHEAD = 16  # texts that wait for the client; the answers wait then too

Arrival = tuple[int, str] | Exception | None  # a text and whose it is, a failure of any of them, or the end of all


class Choices:
    """Answers that run at the same time; each is a turn of its own, in a branch of its own."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers
        self.id = answers[0].id
        self.model = answers[0].model

    @property
    def site(self) -> str:
        """The origin of the site that gave the first one."""
        return self._answers[0].site

    @property
    def ending(self) -> list[Ending]:
        """How each ended."""
        return [answer.ending for answer in self._answers]

    @property
    def usage(self) -> Usage:
        """The question is counted once, like OpenAI does."""
        each = [answer.usage for answer in self._answers]
        return Usage(each[0].asked, sum(used.answered for used in each))

    @property
    def headers(self) -> dict[str, str]:
        """Those of the first one: what was left out is the same for all."""
        return self._answers[0].headers

    async def texts(self) -> AsyncGenerator[tuple[int, str], None]:
        """Each text with the number of its answer, as they come. Raises the first `ServiceError` of any of them."""
        ready: asyncio.Queue[Arrival] = asyncio.Queue(MAX_AHEAD)
        running = asyncio.create_task(self._run_all(ready))
        try:
            while (arrival := await ready.get()) is not None:
                if isinstance(arrival, Exception):
                    raise arrival
                yield arrival
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def _run_all(self, ready: asyncio.Queue[Arrival]) -> None:
        last: Arrival = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for index, answer in enumerate(self._answers):
                    tasks.create_task(_pass_on(index, answer, ready))
        except* Exception as failures:  # noqa: BLE001  (raised anew where the texts are read)
            last = _first(failures)
        await ready.put(last)


async def _pass_on(index: int, answer: Answer, ready: asyncio.Queue[Arrival]) -> None:
    async with aclosing(answer.texts()) as texts:
        async for text in texts:
            await ready.put((index, text))


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
