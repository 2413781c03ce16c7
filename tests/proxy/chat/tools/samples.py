"""What samples of answers are made of."""

import json
from typing import Any, NamedTuple


class Sample(NamedTuple):
    """An answer, the text in it that a client is to see, and the calls with their arguments."""

    label: str
    answer: str
    text: str
    calls: tuple[tuple[str, Any], ...] = ()
    repaired: bool = False


def calls(*asked: tuple[str, Any]) -> tuple[tuple[str, Any], ...]:
    """The calls of a sample."""
    return asked


def fence(*lines: str, word: str = "tool_calls") -> str:
    """A fence with *lines* in it."""
    return "\n".join([f"```{word}", *lines, "```"])


def line(name: str, **arguments: Any) -> str:
    """A call as it is asked for."""
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


PARIS = calls(("get_weather", {"city": "Paris"}))
BEIJING = calls(("get_weather", {"city": "北京"}))
BOTH = PARIS + BEIJING
TO_PARIS = line("get_weather", city="Paris")
TO_BEIJING = line("get_weather", city="北京")
