"""Building blocks of the corpus: samples, fences and calls."""

import json
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """An answer, its text for the client, and its calls with their arguments."""

    label: str
    answer: str
    text: str
    calls: tuple[tuple[str, Any], ...] = ()
    repaired: bool = False


def calls(*call: tuple[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The calls of a sample."""
    return call


def fence(*lines: str, word: str = "tool_calls") -> str:
    """A fence with *lines* in it."""
    return "\n".join([f"```{word}", *lines, "```"])


def line(name: str, **arguments: Any) -> str:
    """A call in the requested format."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


PARIS = calls(("get_weather", {"city": "Paris"}))
BEIJING = calls(("get_weather", {"city": "北京"}))
BOTH = PARIS + BEIJING
TO_PARIS = line("get_weather", city="Paris")
TO_BEIJING = line("get_weather", city="北京")
