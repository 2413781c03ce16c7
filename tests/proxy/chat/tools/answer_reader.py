"""Read an answer in pieces with the parser of calls, and the tools of the samples."""

from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from proxy.chat.tools.call_reader import CallReader, Verdict
from proxy.chat.tools.definitions import Tool, ToolConfig

WEATHER = Tool(
    "get_weather",
    "The weather of a city.",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["city"],
        "additionalProperties": False,
    },
)
WRITE = Tool(
    "write_file",
    "Write a file.",
    {
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
    },
)
LIST = Tool("list_files", "List all files.")
PATCH = Tool("apply_patch", "Apply a patch.", kind="custom")
OFFER = ToolConfig((WEATHER, WRITE, LIST, PATCH))


class Outcome(NamedTuple):
    """Result of reading an answer."""

    text: str
    calls: list[tuple[str, str]]
    verdict: Verdict


def read(pieces: Iterable[str], offer: ToolConfig = OFFER, *, cut: bool = False) -> Outcome:
    """Feed *pieces* until the reader is done, and return the result."""
    numbers = count(1)
    reader = CallReader(offer, lambda: f"call_{next(numbers)}")
    events = []
    for piece in pieces:
        events += reader.feed(piece)
        if reader.is_done:
            break
    events += reader.end(cut=cut)
    calls = [event for event in events if not isinstance(event, str)]
    assert [call.id for call in calls] == [f"call_{number + 1}" for number in range(len(calls))]
    text = "".join(event for event in events if isinstance(event, str))
    return Outcome(text, [(call.name, call.arguments) for call in calls], reader.verdict)


def pieces_of(text: str, size: int) -> list[str]:
    """*text* in pieces of *size*."""
    return [text[at : at + size] for at in range(0, len(text), size)]
