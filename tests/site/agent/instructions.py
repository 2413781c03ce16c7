"""Parse a model's prompt: the conversation, the tools, the tool choice and the output format."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.site.records import Message

_HEADER = re.compile(r"^----- (system|user|assistant)(?:, \d+ images?)?( \(\d+\))? -----$", re.MULTILINE)
_EXAMPLE = re.compile(r'"----- user( \(\d+\))? -----"')
_RESULT = re.compile(r"^\[(result|error) of (.+?)\]$")
_MARKER = re.compile(r"^(?:```tools|```json_schema|tool choice: \S+|answer format: json_object)$", re.MULTILINE)
_CHOICE = re.compile(r"^tool choice: (\S+)$", re.MULTILINE)
_NAME = re.compile(r'"name":"([^"]+)"')


@dataclass(frozen=True)
class Instructions:
    """The instructions for the next answer. *choice* is `auto` unless a line says otherwise."""

    tools: dict[str, Any]  # definitions by name
    choice: str = "auto"
    schema: Any = None
    wants_object: bool = False

    @property
    def wants_json(self) -> bool:
        """Whether the answer has to be JSON unless it is a call."""
        return self.wants_object or self.schema is not None


def conversation(messages: Sequence[Message]) -> list[Message]:
    """*messages* with every transcript among them told as the messages in it."""
    return [part for message in messages for part in _parts(message)]


def read_instructions(history: Sequence[Message]) -> Instructions:
    """Read the newest definitions, and the instructions of the newest message that has any."""
    texts = [message["content"] for message in reversed(history) if message["role"] != "assistant"]
    newest = next(filter(_MARKER.search, texts), "")
    definitions = next(filter(None, (_fence(text, "tools") for text in texts)), "")
    choice = _CHOICE.findall(newest)
    schema = _fence(newest, "json_schema")
    return Instructions(
        dict(_definitions(definitions)),
        choice[-1] if choice else "auto",
        json.loads(schema) if schema else None,
        "answer format: json_object" in newest.splitlines(),
    )


def results(history: Sequence[Message]) -> list[tuple[str, str]]:
    """The tool results as pairs of name and text, in their order; an error's text begins with `error: `."""
    found = []
    for message in history:
        if message["role"] == "user":
            found += _results(message["content"])
    return found


def is_reminder(message: Message) -> bool:
    """Whether *message* asks for the same answer once more: it quotes the format and brings no result."""
    text = message["content"]
    return message["role"] == "user" and not _results(text) and ("```tool_calls" in text or "```json" in text)


def _parts(message: Message) -> Iterator[Message]:
    text = message["content"]
    example = _EXAMPLE.search(text.partition("\n")[0])
    if message["role"] != "user" or example is None:
        yield message
        return
    headers = [header for header in _HEADER.finditer(text) if header[2] == example[1]]
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        yield {"role": header[1], "content": text[header.end() + 1 : end].removesuffix("\n\n")}


def _results(text: str) -> list[tuple[str, str]]:
    """The results in one message: several may stand in it, each under its line, the first in the first line."""
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        head = _RESULT.match(line)
        if head:
            found.append((head[2], "error: " if head[1] == "error" else ""))
        elif not found:
            return []
        else:
            name, before = found[-1]
            found[-1] = (name, f"{before}\n{line}" if before and before != "error: " else before + line)
    return [(name, result.rstrip("\n")) for name, result in found]


def _fence(text: str, word: str) -> str:
    match = re.search(rf"^```{word}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def _definitions(fence: str) -> Iterator[tuple[str, Any]]:
    for line in filter(None, fence.split("\n")):  # other breaks of lines stand within strings
        try:
            definition = json.loads(line)
        except ValueError:  # what the site's HTML filter left of it
            yield from ((name, None) for name in _NAME.findall(line)[:1])
        else:
            yield definition["name"], definition
