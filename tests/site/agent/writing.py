"""Calls and JSON as models write them: in the format that was asked for, in dialects of their own, and broken."""

import json
from collections.abc import Callable, Sequence
from typing import Any

Calls = Sequence[tuple[str, Any]]  # names and arguments
Write = Callable[[Calls], str]
WIDE = "｜"


def compact(value: Any) -> str:
    """JSON as the format has it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _line(name: str, arguments: Any) -> str:
    return compact({"name": name, "arguments": arguments})


def _lines(calls: Calls) -> str:
    return "\n".join(_line(*call) for call in calls)


def _fence(word: str, body: str) -> str:
    return f"```{word}\n{body}\n```"


def _each(write: Callable[[str, Any], str]) -> Write:
    return lambda calls: "\n".join(write(*call) for call in calls)


def _invoke(name: str, arguments: Any) -> str:
    parameters = (f'<parameter name="{key}">{_plain(value)}</parameter>' for key, value in arguments.items())
    return "\n".join([f'<invoke name="{name}">', *parameters, "</invoke>"])


def _pair(name: str, arguments: Any) -> str:
    return f"<tool_name>{name}</tool_name>\n<parameters>{compact(arguments)}</parameters>"


def _function(name: str, arguments: Any) -> str:
    parameters = (f"<parameter={key}>\n{_plain(value)}\n</parameter>" for key, value in arguments.items())
    return "\n".join([f"<function={name}>", *parameters, "</function>"])


def _wide(name: str, arguments: Any) -> str:
    body = f"function<{WIDE}tool▁sep{WIDE}>{name}\n{_fence('json', compact(arguments))}"
    return f"<{WIDE}tool▁call▁begin{WIDE}>{body}<{WIDE}tool▁call▁end{WIDE}>"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _broken(change: Callable[[str], str]) -> Write:
    """One call whose line of JSON is changed."""
    return lambda calls: _fence("tool_calls", "\n".join(change(_line(*call)) for call in calls))


CALLS: dict[str, Write] = {
    "asked": lambda calls: _fence("tool_calls", _lines(calls)),
    "unclosed_fence": lambda calls: f"```tool_calls\n{_lines(calls)}",
    "spaced": lambda calls: _fence("tool_calls", json.dumps([{"name": n, "arguments": a} for n, a in calls], indent=2)),
    # Dialects.
    "tool_call": _each(lambda name, arguments: f"<tool_call>\n{_line(name, arguments)}\n</tool_call>"),
    "unclosed_tool_call": _each(lambda name, arguments: f"<tool_call>\n{_line(name, arguments)}"),
    "invoke": lambda calls: f"<function_calls>\n{_each(_invoke)(calls)}\n</function_calls>",
    "tool_name": _each(_pair),
    "function_json": _each(lambda name, arguments: f"<function={name}>{compact(arguments)}</function>"),
    "function_parameters": _each(_function),
    "tool_calls_mark": lambda calls: f"[TOOL_CALLS]{compact([{'name': n, 'arguments': a} for n, a in calls])}",
    "python_tag": _each(lambda n, arguments: "<|python_tag|>" + compact({"name": n, "parameters": arguments})),
    "wide_marks": lambda calls: f"<{WIDE}tool▁calls▁begin{WIDE}>{_each(_wide)(calls)}<{WIDE}tool▁calls▁end{WIDE}>",
    "json_fence": lambda calls: _fence("json", _lines(calls)),
    "tool_fence": lambda calls: _fence("tool", _lines(calls)),
    "tool_code_fence": lambda calls: _fence("tool_code", _lines(calls)),
    "bare_tool_calls": lambda calls: compact({"tool_calls": [{"name": n, "arguments": a} for n, a in calls]}),
    "bare_function_call": lambda calls: compact({"function_call": {"name": calls[0][0], "arguments": calls[0][1]}}),
    "bare": lambda calls: _lines(calls[:1]),
    "bare_parameters": lambda calls: compact({"name": calls[0][0], "parameters": calls[0][1]}),
    "bare_input": lambda calls: compact({"name": calls[0][0], "input": calls[0][1]}),
    "text_arguments": lambda calls: CALLS["asked"]([(name, compact(arguments)) for name, arguments in calls]),
    # Broken, and yet plain.
    "trailing_comma": _broken(lambda line: line[:-2] + ",}}"),
    "single_quotes": _broken(lambda line: line.replace('"', "'")),
    "python_literals": lambda calls: _fence("tool_calls", repr([{"name": n, "arguments": a} for n, a in calls])),
    "comment": _broken(lambda line: line[:-1] + " // as you wished\n}"),
    "missing_bracket": _broken(lambda line: line[:-1]),
    # Beyond repair.
    "hopeless": _broken(lambda line: line[: len(line) // 2] + ' ::: "}{ oops'),
    "unfit": lambda calls: CALLS["asked"]([(name, {"nonsense": [1, 2]}) for name, _ in calls]),
    "last_unfit": lambda calls: CALLS["asked"]([*calls[:-1], (calls[-1][0], {"nonsense": [1, 2]})]),
    "prose": lambda calls: f"I would call {calls[0][0]} for that.",
}
BEYOND_REPAIR = ("hopeless", "unfit", "last_unfit", "prose")

ANSWERS: dict[str, Callable[[Any], str]] = {
    "asked": lambda value: _fence("json", compact(value)),
    "bare": compact,
    "indented": lambda value: _fence("json", json.dumps(value, ensure_ascii=False, indent=2)),
    "with_prose": lambda value: f"Here it is:\n\n{_fence('json', compact(value))}\n\nAnything else?",
    "trailing_comma": lambda value: _fence("json", compact(value)[:-1] + ",}"),
    "python_literals": lambda value: _fence("json", repr(value)),
    "hopeless": lambda value: _fence("json", compact(value)[:-8] + ' ::: "}{ oops'),
    "unfit": lambda value: _fence("json", compact({"nonsense": [1, 2]})),
    "prose": lambda value: "It is hard to say.",
}
