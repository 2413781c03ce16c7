"""anthropic, the SDK for Python: thoughts of a server's model, and a tool that it calls after them."""

import json
import sys
from typing import Any

from anthropic import Anthropic

ADDRESS, MODEL = sys.argv[1:]
client = Anthropic(base_url=ADDRESS, api_key="unused", max_retries=0)
asked: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 2000,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}],
}
history: list[Any] = [{"role": "user", "content": "Look."}]

with client.messages.stream(messages=history, **asked) as stream:
    thoughts = "".join(event.thinking for event in stream if event.type == "thinking")
    first = stream.get_final_message()
call = first.content[-1]
result = {"type": "tool_result", "tool_use_id": call.id, "content": "seen"}
history += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
second = client.messages.create(messages=history, **asked)
told = {
    "thoughts": thoughts,
    "first": [block.type for block in first.content],
    "signed": bool(first.content[0].signature),
    "second": [[block.type, block.thinking if block.type == "thinking" else block.text] for block in second.content],
}
print(json.dumps(told))
