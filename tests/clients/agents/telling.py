"""What the script of every Python library has: the plan, the tool, and a way to tell what came of each scenario.

The test sends the plan as one line on standard input. Each scenario is told as one line of JSON; `telling.mjs` does the
same for Node.js.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

_plan: dict[str, str] = json.loads(sys.stdin.readline())
BASE_URL, KEY, MODEL = _plan["base_url"], _plan["key"], _plan["model"]
DEGREES = {"Paris": 21, "北京": 7}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DESCRIPTION = "Tell the weather in a city."
FUNCTION = {"name": "get_weather", "description": DESCRIPTION, "parameters": PARAMETERS}

Scenario = Callable[[str], Awaitable[Any]]  # what the user says -> what came of it
_scenarios: list[tuple[str, Scenario]] = []


class Weather(BaseModel):
    """The weather in a city."""

    city: str
    degrees: int


def weather_in(city: str) -> str:
    """The tool's result."""
    return f"{DEGREES[city]} degrees in {city}"


def asking(script: str) -> str:
    """The prompt that makes the model play *script*."""
    return f"[[script:{script}]] How is the weather?"


def scenario(script: str) -> Callable[[Scenario], Scenario]:
    """Register a scenario in which the model plays *script*; its name is the function's."""

    def register(function: Scenario) -> Scenario:
        _scenarios.append((script, function))
        return function

    return register


def perform() -> None:
    """Run all scenarios."""
    asyncio.run(_perform())


async def _perform() -> None:
    for script, function in _scenarios:
        name = function.__name__
        try:
            value = await function(asking(script))
        except Exception as error:
            _tell(name, error=f"{type(error).__name__}: {error}"[:2000])
        else:
            _tell(name, value=value)


def _tell(name: str, **what: Any) -> None:
    print(f"\n{json.dumps({'scenario': name, **what})}", flush=True)  # some leave an unended line before it
