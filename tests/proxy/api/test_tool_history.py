"""What earlier models did with tools is read from histories, whoever they were."""

from typing import Any

import pytest

from proxy.api.chat_completions.request import read_messages
from proxy.chat.tools.rendering import as_text


def test_a_history_with_tools_reaches_the_model_whole() -> None:
    weather = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    messages, _ = read_messages(
        [
            {"role": "user", "content": "How is it in Rome?"},
            {"role": "assistant", "content": "Let me see.", "tool_calls": [weather]},
            {"role": "tool", "content": "22 C", "tool_call_id": "call_1"},
            {"role": "assistant", "content": None, "function_call": {"name": "time", "arguments": "{}"}},
            {"role": "function", "name": "time", "content": "noon"},
            {"role": "user", "content": "and?"},
        ]
    )

    assert [(message.role, message.text) for message in as_text(messages, None)] == [
        ("user", "How is it in Rome?"),
        ("assistant", 'Let me see.\n\n```tool_calls\n{"name":"weather","arguments":{"city":"Rome"}}\n```'),
        ("user", "[result of weather]\n22 C"),
        ("assistant", '```tool_calls\n{"name":"time","arguments":{}}\n```'),
        ("user", "[result of time]\nnoon"),
        ("user", "and?"),
    ]


@pytest.mark.parametrize("calls", ["x", [1], [{"function": {}}], [{"function": {"name": 1}}]])
def test_a_call_that_names_no_tool_is_no_reason_to_refuse_a_history(calls: Any) -> None:
    messages, _ = read_messages(
        [{"role": "assistant", "content": "a", "tool_calls": calls}, {"role": "user", "content": "b"}]
    )

    assert [message.text for message in messages] == ["a", "b"]
