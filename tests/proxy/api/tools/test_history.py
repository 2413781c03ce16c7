"""Calls and results of earlier models' tools in a history."""

import json
from typing import Any

import pytest

from proxy.api.chat_completions.request import read_messages
from proxy.api.responses.input_items import read_items
from proxy.chat.tools.prompts import messages_as_text


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

    assert [(message.role, message.text) for message in messages_as_text(messages, None)] == [
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


def test_shell_output_is_sent_with_its_exit_status() -> None:
    called = {"type": "shell_call", "call_id": "a", "action": {"commands": ["ls -la"]}, "status": "completed"}
    output = [
        {"stdout": "total 0", "stderr": "slow", "outcome": {"type": "exit", "exit_code": 3}},
        {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
    ]
    messages, _ = read_items([called, {"type": "shell_call_output", "call_id": "a", "output": output}], name="input")

    assert [message.text for message in messages_as_text(messages, None)] == [
        '```tool_calls\n{"name":"shell","arguments":{"commands":["ls -la"]}}\n```',
        f"[result of shell]\n{json.dumps(output, separators=(',', ':'))}",
    ]


def test_code_run_by_another_model_is_sent_with_its_output() -> None:
    ran = {"type": "code_interpreter_call", "id": "ci_1", "code": "print(6 * 7)", "container_id": "c"}
    outputs = [{"type": "logs", "logs": "42"}, {"type": "image", "url": "https://x.example/a.png"}]
    messages, _ = read_items([{**ran, "outputs": outputs}, {**ran, "outputs": None, "status": "failed"}], name="input")

    call = '```tool_calls\n{"name":"code_interpreter","arguments":{"code":"print(6 * 7)"}}\n```'
    expected = [call, "[result of code_interpreter]\n42", call, "[error of code_interpreter]\n"]
    assert [message.text for message in messages_as_text(messages, None)] == expected


def test_a_result_that_its_item_calls_failed_is_an_error() -> None:
    called = {"type": "apply_patch_call", "call_id": "a", "operation": {"type": "delete_file", "path": "x"}}
    output = {"type": "apply_patch_call_output", "call_id": "a", "status": "failed", "output": "no such file"}
    messages, _ = read_items([called, output], name="input")

    assert messages_as_text(messages, None)[-1].text == "[error of apply_patch]\nno such file"


def test_a_result_whose_call_is_not_there_is_told_by_the_name_in_its_item() -> None:
    result = {"type": "function_call_output", "name": "weather", "output": "22 C"}
    messages, _ = read_items([result, {**result, "call_id": "gone"}, {**result, "namespace": "a"}], name="input")

    texts = [message.text for message in messages_as_text(messages, None)]
    assert texts == ["[result of weather]\n22 C", "[result of weather]\n22 C", "[result of tool]\n22 C"]
