"""Agents as clients of the proxy: the same tools in each turn, and the whole history."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.speed.load import tool
from tests.speed.wire import Order

TOOLS = 30  # of 2 kB
MESSAGES = 40
RESULT_CHARS = 1_000
TEXTS = 'The file has some lines that a tool read, with "quotes", <tags> and umlauts.\n'


@dataclass
class Agent:
    """One conversation, which sends itself whole in each turn."""

    name: str
    url: str
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.messages = list(_history(self.name))

    async def turn(self, http: aiohttp.ClientSession) -> None:
        """Ask once, and take the answer into the conversation."""
        body = {
            "model": "gpt-4o-mini",
            "stream": True,
            "messages": self.messages,
            "tools": [tool(number) for number in range(TOOLS)],
        }
        text = ""
        async with http.post(f"{self.url}/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.content:
                if line.startswith(b"data: {"):
                    for choice in json.loads(line.removeprefix(b"data: "))["choices"]:
                        text += choice["delta"].get("content") or ""
        assert text.startswith("|000000@"), text
        self.messages += [{"role": "assistant", "content": text}, {"role": "user", "content": _order()}]


def _history(name: str) -> Iterator[dict[str, Any]]:
    """What an agent of this *name* did before: a call and its result in turns, and at last what it is asked now."""
    yield {"role": "system", "content": f"You are {name}. {TEXTS * 20}"}
    for number in range((MESSAGES - 2) // 2):
        arguments = {"parameter_0": f"{name}/file-{number}.py", "parameter_1": TEXTS}
        function = {"name": f"tool_{number}", "arguments": json.dumps(arguments)}
        yield {
            "role": "assistant",
            "content": "I look at the next file.",
            "tool_calls": [{"id": f"call_{name}_{number}", "type": "function", "function": function}],
        }
        text = f"{number}: {TEXTS * (RESULT_CHARS // len(TEXTS))}"
        yield {"role": "tool", "tool_call_id": f"call_{name}_{number}", "content": text}
    yield {"role": "user", "content": _order()}


def _order() -> str:
    return Order(5, 0).message
