"""Items of calls and of their results."""

from collections.abc import Mapping, Sequence

from proxy.api.conversations.items import CALL_IDS, RESULT_IDS
from proxy.api.openapi.parts import (
    INTEGER,
    NULL,
    STRING,
    Schema,
    array,
    at_least,
    const,
    described,
    exactly,
    nullable,
    one_of,
)
from shared.conversations import ToolKind

CALL_ID, _RESULT_ID = (
    {kind: {"type": "string", "pattern": f"^{word}_"} for kind, word in ids.items()} for ids in (CALL_IDS, RESULT_IDS)
)
_CALL: dict[str, Schema] = {
    "call_id": described(STRING, "What the result names."),
    "status": one_of("in_progress", "completed"),
}
_KINDS: Sequence[tuple[ToolKind, str, str]] = (
    ("function", "function_call", "arguments"),
    ("custom", "custom_tool_call", "input"),
)
_DEFINED: Mapping[ToolKind, dict[str, Schema]] = {  # what OpenAI has defined and the client runs
    "shell": {
        "action": exactly(
            {"commands": array(STRING), "timeout_ms": nullable(INTEGER), "max_output_length": nullable(INTEGER)}
        ),
        "environment": exactly({"type": const("local")}),
    },
    "local_shell": {
        "action": exactly(
            {"type": const("exec"), "command": array(STRING), "env": {"type": "object"}},
            working_directory=STRING,
            timeout_ms=INTEGER,
        )
    },
    "apply_patch": {
        "operation": {
            "anyOf": [
                exactly({"type": const("delete_file"), "path": STRING}),
                exactly({"type": described(STRING, "`create_file` or `update_file`."), "path": STRING, "diff": STRING}),
            ]
        }
    },
}
CALL_ITEMS = [
    *(
        exactly({**_CALL, "name": STRING, "id": CALL_ID[kind], "type": const(name), field: STRING}, namespace=STRING)
        for kind, name, field in _KINDS
    ),
    described(
        exactly(
            {
                **_CALL,
                "id": CALL_ID["tool_search"],
                "type": const("tool_search_call"),
                "execution": const("client"),
                "arguments": {"type": "object"},
            }
        ),
        "A search among tools that the client keeps to itself.",
    ),
    *(
        exactly({**_CALL, "id": CALL_ID[kind], "type": const(f"{kind}_call"), **fields})
        for kind, fields in _DEFINED.items()
    ),
]
_RESULT: dict[str, Schema] = {"call_id": STRING, "status": const("completed")}
RESULT_ITEMS = [
    *(
        exactly({**_RESULT, "id": _RESULT_ID[kind], "type": const(f"{name}_output"), "output": STRING})
        for kind, name, _ in _KINDS
    ),
    exactly(
        {
            **_RESULT,
            "id": _RESULT_ID["tool_search"],
            "type": const("tool_search_output"),
            "execution": const("client"),
            "tools": described(array(at_least({"type": const("function"), "name": STRING})), "What was found."),
        }
    ),
    exactly(
        {
            **_RESULT,
            "id": _RESULT_ID["shell"],
            "type": const("shell_call_output"),
            "output": described(array({"type": "object"}), "What each command printed, and how it ended."),
            "max_output_length": NULL,
        }
    ),
    exactly({**_RESULT, "id": _RESULT_ID["local_shell"], "type": const("local_shell_call_output"), "output": STRING}),
    exactly(
        {
            **_RESULT,
            "id": _RESULT_ID["apply_patch"],
            "type": const("apply_patch_call_output"),
            "status": one_of("completed", "failed"),
            "output": STRING,
        }
    ),
]
