"""What comes at once, and is long, is streamed in pieces."""

import json
from typing import Any

import pytest

from proxy.api.pieces import pieces
from tests.proxy.running import RunningProxy
from tests.proxy.wire import exchange
from tests.site import SimulatedSite

LONGEST_LINE = 64 * 1024  # that Go's bufio.Scanner reads, and so many clients and gateways
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
WRITE = {"name": "write", "description": "Write a file."}


def ask(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o-mini-helper", "stream": True, "messages": [{"role": "user", "content": text}]}


@pytest.mark.parametrize(
    ("path", "tools"),
    [
        ("/v1/chat/completions", {"tools": [{"type": "function", "function": {**WRITE, "parameters": SCHEMA}}]}),
        ("/v1/chat/completions", {"functions": [{**WRITE, "parameters": SCHEMA}]}),
        ("/v1/messages", {"tools": [{**WRITE, "input_schema": SCHEMA}], "max_tokens": 1_000_000}),
    ],
    ids=["tools", "functions", "messages"],
)
async def test_what_comes_at_once_is_told_in_lines_that_clients_read(
    proxy: RunningProxy, site: SimulatedSite, path: str, tools: dict[str, Any]
) -> None:
    arguments = {"text": '"你\n' * 10_000}
    site.behaviour.scripts = {"write": [{"calls": [["write", arguments]]}]}

    text = await exchange(proxy.url, "POST", path, {**ask("[[one_event:96000]]"), **tools})
    call = await exchange(proxy.url, "POST", path, {**ask("[[script:write]]"), **tools})

    assert max(map(len, (text.body + call.body).split(b"\n"))) < LONGEST_LINE
    assert "".join(_told(event) for event in text.data) == "0123456789abcdef" * 6000
    assert json.loads("".join(_told(event) for event in call.data)) == arguments


def _told(event: Any) -> str:
    """The text or the part of a call's arguments in *event*, in the chat's shape or Anthropic's."""
    delta = event["choices"][0]["delta"] if "choices" in event else event.get("delta", {})
    calls = [each["function"] for each in delta.get("tool_calls", ())]
    texts = [delta.get(name) or "" for name in ("content", "text", "partial_json")]
    return "".join((*texts, *(each["arguments"] for each in (*calls, delta.get("function_call", {"arguments": ""})))))


@pytest.mark.parametrize(
    ("text", "count"), [("", 1), ("x" * 49_000, 1), ("x" * 50_000, 7), ("\x00" * 8_193, 2), ("你" * 16_000, 1)]
)
def test_only_a_text_too_long_for_an_event_is_cut(text: str, count: int) -> None:
    assert len(pieces(text)) == count
    assert "".join(pieces(text)) == text
