"""Requests that are nearly right, by the thousand: each is read or refused, and what is read can be sent and stored."""

import base64
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, get_args

import orjson
import pytest

from proxy.api.chat_completions.request import ChatRequest, parse_chat
from proxy.api.conversations.items import items_of
from proxy.api.messages.request import parse_messages
from proxy.api.responses.compaction import parse_compaction
from proxy.api.responses.objects import blank
from proxy.api.responses.request import ResponseRequest, parse_response
from proxy.api.tools import ToolsMode
from proxy.chat.errors import ServiceError
from proxy.chat.history import history_digest
from proxy.chat.tools.prompts import instructions, messages_as_text
from proxy.upstreams.aipkit.transcript import transcript
from proxy.upstreams.openai_server.quirks import Quirks
from proxy.upstreams.openai_server.requests import request_body
from tests.pictures import PNG

MUTATIONS = int(os.environ.get("TEST_MUTATIONS", "2000"))
SEED = random.randrange(2**32) if "TEST_MUTATIONS" in os.environ else 1
PNG_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {}}}, "strict": True}
FLAT = {"type": "function", **FUNCTION}
TEXT = {"type": "text", "text": "x"}
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "t",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "x"}},
            ],
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "tool", "tool_call_id": "c1", "content": [TEXT]},
        {"role": "function", "name": "f", "content": "z"},
        {"role": "user", "content": "go", "name": "bob"},
    ],
    "tools": [{"type": "function", "function": FUNCTION}, {"type": "custom", "custom": {"name": "g"}}],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [FLAT]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "functions": [FUNCTION],
    "function_call": {"name": "f"},
    "stream_options": {"include_usage": True},
    "stop": ["a"],
    "max_tokens": 5,
    "n": 2,
    "logit_bias": {"1": 1},
    "reasoning_effort": "low",
}
RESPONSE: dict[str, Any] = {
    "model": "m",
    "input": [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": PNG_URL}],
        },
        {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": "y"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}]},
        {"role": "assistant"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "namespace": "n"},
        {"role": "assistant", "content": "behind its calls"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "o"}]},
        {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "i"},
        {"type": "local_shell_call", "call_id": "e", "action": {"type": "exec", "command": ["ls"], "env": {}}},
        {"type": "shell_call", "call_id": "h", "action": {"commands": ["ls"], "timeout_ms": 1}},
        {"type": "shell_call_output", "call_id": "h", "output": [{"stdout": "x", "outcome": {"type": "exit"}}]},
        {"type": "apply_patch_call", "call_id": "p", "operation": {"type": "create_file", "path": "a", "diff": "+x"}},
        {"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "output": "o"},
        {"type": "code_interpreter_call", "id": "ci", "code": "1", "outputs": [{"type": "logs", "logs": "x"}]},
        {"type": "tool_search_output", "call_id": "t", "execution": "client", "tools": [FLAT]},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "additional_tools", "tools": [FLAT]},
        {"role": "user", "content": "go"},
    ],
    "tools": [
        FLAT,
        {"type": "custom", "name": "g", "format": {"type": "text"}},
        {"type": "namespace", "name": "n", "tools": [FLAT]},
        {"type": "web_search", "filters": {}},
        {"type": "shell", "environment": {"type": "local", "skills": [{"name": "s"}]}},
        {"type": "tool_search", "execution": "client"},
        {"type": "mcp", "server_label": "x"},
    ],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [FLAT, {"type": "tool_search"}]},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "conversation": {"id": "c"},
    "previous_response_id": "resp_1",
    "metadata": {"a": "b"},
    "include": ["reasoning.encrypted_content"],
}
MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 10,
    "system": [TEXT],
    "messages": [
        {"role": "user", "content": [TEXT, {"type": "document", "source": {"type": "text", "data": "d"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [TEXT, {"type": "tool_reference"}]},
                {"type": "search_result", "source": "u", "title": "t", "content": [TEXT]},
            ],
        },
    ],
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}, {"type": "bash_20250124"}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "stop_sequences": ["x"],
    "metadata": {"user_id": "u"},
}
VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**63, 1e308, "", "x", "none", "auto", "user", "tool", [], {}, [[]], [{}], [None]),
    *(["x"], {"a": None}, TEXT, FLAT, {"type": "function"}, {"role": "assistant"}, {"type": "function_call"}),
    *({"type": []}, {"$ref": "#"}, {"type": "object", "properties": 5}, "data:image/png;base64,AA", "http://x"),
]
PARSERS: list[tuple[Callable[..., ChatRequest | ResponseRequest], dict[str, Any]]] = [
    (parse_chat, CHAT),
    (parse_response, RESPONSE),
    (parse_compaction, RESPONSE),
    (parse_messages, MESSAGES),
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of everything within *value*."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from paths(value[key], (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def mutated(choose: random.Random, base: Mapping[str, Any]) -> dict[str, Any]:
    """*base* with some of its fields, and a few places of these replaced, taken out or added."""
    kept = ("model", "messages", "input", "max_tokens")
    body = {name: deepcopy(value) for name, value in base.items() if name in kept or choose.random() < 0.4}
    for name in ("messages", "input", "tools"):
        if isinstance(body.get(name), list):
            body[name] = [each for each in body[name] if choose.random() < choose.choice([0.3, 0.9])] or body[name]
            choose.shuffle(body[name])
    for _ in range(choose.choice([0, 1, 1, 2, 4])):
        *around, key = choose.choice(list(paths(body)))
        place, chance = at(body, tuple(around)), choose.random()
        if chance < 0.4:
            del place[key]
        elif chance < 0.8 or not isinstance(place, list):
            place[key] = deepcopy(choose.choice(VALUES))
        else:
            place.insert(key, deepcopy(choose.choice(VALUES)))
        if not body:
            break
    return body


def check_use(request: ChatRequest | ResponseRequest) -> None:
    """What was read can be told to a site and to a server, stored, and echoed."""
    ask = request.ask
    json.loads(request_body(ask, "m", Quirks()))
    history_digest((), ask.messages)
    transcript(messages_as_text(ask.messages, ask.tool_config)).encode()
    if ask.tool_config is not None:
        instructions(ask.tool_config).encode()
    orjson.dumps([items_of(message) for message in ask.messages])
    if isinstance(request, ResponseRequest):
        orjson.dumps(blank(request, id="resp_1", created=1, model="m"))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("parse", "base"), PARSERS, ids=["chat", "response", "compaction", "messages"])
def test_what_is_nearly_right_is_read_or_refused(
    parse: Callable[..., ChatRequest | ResponseRequest], base: dict[str, Any]
) -> None:
    choose, read = random.Random(SEED), 0
    for _ in range(MUTATIONS):
        body = mutated(choose, base)
        try:
            request = parse(body, choose.choice(get_args(ToolsMode)))
            if request.ask.messages:
                check_use(request)
            read += 1
        except ServiceError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {SEED}: {json.dumps(body)}") from error
    assert read > MUTATIONS / 50
