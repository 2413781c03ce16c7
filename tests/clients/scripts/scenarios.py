"""What every Python client goes through; each step is told to the test as one line of JSON.

The test sends the plan as the first line of standard input, and an empty line once the upstream of the turn that was
left is gone. A client's script gives its `Chat` to `perform`; `scenarios.mjs` does the same for Node.js.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from time import monotonic
from typing import Any, Protocol


class Chat(Protocol):
    """One dialogue; the client keeps its history as its users would."""

    def stream(self, text: str) -> AsyncGenerator[str, None]:
        """One streamed turn; closing it early disconnects."""
        ...

    async def ask(self, text: str) -> str:
        """One turn that does not stream."""
        ...


Connect = Callable[[list[str], str], Chat]  # what the README says to type, and the model's name


def perform(connect: Connect) -> None:
    """Run all scenarios with the plan from standard input."""
    plan = json.loads(sys.stdin.readline())

    def chat(*, key: str = plan["key"], model: str = plan["model"]) -> Chat:
        typed = [re.sub(r"\bKEY\b", key, cell).replace(plan["model"], model) for cell in plan["setup"]]
        return connect(typed, model)

    asyncio.run(_perform(plan, chat))


async def _perform(plan: dict[str, Any], chat: Callable[..., Chat]) -> None:
    dialogue = chat()
    first, second, third = plan["dialogue"]
    _tell("memory", answers=[await dialogue.ask(first), await _whole(dialogue, second), await dialogue.ask(third)])

    arrived: list[tuple[float, str]] = [(monotonic(), piece) async for piece in chat().stream(plan["streamed"])]
    _tell("stream", pieces=[piece for _, piece in arrived], seconds=arrived[-1][0] - arrived[0][0])

    await _tell_failure("unknown_model", lambda: _whole(chat(model=plan["unknown_model"]), "hi"))
    await _tell_failure("wrong_key", lambda: chat(key=plan["wrong_key"]).ask("hi"))

    dialogue = chat()
    async with aclosing(dialogue.stream(plan["long"])) as pieces:
        piece = await anext(pieces)
    _tell("left", after=piece)
    await asyncio.to_thread(sys.stdin.readline)  # meanwhile, the client may clear up
    _tell("cancel", answer=await dialogue.ask(plan["next"]))


async def _whole(chat: Chat, text: str) -> str:
    return "".join([piece async for piece in chat.stream(text)])


async def _tell_failure(scenario: str, turn: Callable[[], Awaitable[str]]) -> None:
    try:
        answer = await turn()
    except Exception as error:
        _tell(scenario, error=type(error).__name__, code=getattr(error, "code", None), text=str(error))
    else:
        _tell(scenario, error=None, code=None, text=answer)


def _tell(scenario: str, **what: Any) -> None:
    print(json.dumps({"scenario": scenario, **what}), flush=True)
