"""Reading chunks of a server as plain values."""

import json
from typing import Any

from proxy.chat.tools.definitions import ToolConfig
from proxy.upstreams.openai_server.reader import ChunkReader


def reader(offer: ToolConfig | None = None) -> ChunkReader:
    return ChunkReader("mine", offer, lambda: "made_up")


def feed(reading: ChunkReader, *deltas: dict[str, Any], reason: str = "stop") -> str:
    """The text of chunks with these deltas, of which the last one has a finish reason."""
    text = ""
    for number, delta in enumerate(deltas):
        end = reason if number == len(deltas) - 1 else None
        text += reading.read(json.dumps({"choices": [{"delta": delta, "finish_reason": end}]}).encode())
    return text


def piece(arguments: Any = None, **fields: Any) -> dict[str, Any]:
    function = {"arguments": arguments} if arguments is not None else {}
    if "name" in fields:
        function["name"] = fields.pop("name")
    return {"tool_calls": [{**fields, "function": function}]}
