"""The tools that OpenAI defines and the client runs. Models are told of them as functions, and clients get their calls
and send their results as items of types of their own."""

from collections.abc import Mapping
from typing import Any

import orjson

from proxy.api.tools import text_or_empty
from proxy.chat.nesting import is_too_deep
from shared.conversations import ToolKind

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 1}
_WORDS = {"type": "array", "items": _TEXT, "minItems": 1}
_EDITS = ("create_file", "update_file", "delete_file")


def _schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


_FUNCTIONS: Mapping[str, Mapping[str, Any]] = {
    "shell": {
        "description": "Run commands, each in a shell of its own. What each printed comes back with its exit code. "
        "timeout_ms is for all of them, and max_output_length, in characters, for what they print.",
        "parameters": _schema("commands", commands=_WORDS, timeout_ms=_COUNT, max_output_length=_COUNT),
    },
    "local_shell": {
        "description": 'Run one program, without a shell: its name, then each argument. ["bash", "-lc", "ls | wc -l"] '
        "has a shell run a command.",
        "parameters": _schema("command", command=_WORDS, working_directory=_TEXT, timeout_ms=_COUNT),
    },
    "apply_patch": {
        "description": "Create, update or delete one file. The diff of a new file is all its lines, each behind a +. "
        "That of an update has for each place in the file a line @@, or @@ with a blank and a line further up that "
        "tells the place, such as a function's first; then the lines there: those that stay, a few before and after, "
        "behind a blank, those that go behind a -, and new ones behind a +. It holds no line numbers and no names of "
        "files.",
        "parameters": _schema("type", "path", type={"type": "string", "enum": list(_EDITS)}, path=_TEXT, diff=_TEXT),
    },
}
CLIENT_TOOLS: tuple[ToolKind, ...] = ("shell", "local_shell", "apply_patch")


def as_function(tool: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """*tool* of a request as a function's definition, if it is one of these; a shell in a container of OpenAI's is
    not."""
    name, place = tool["type"], tool.get("environment")
    function = _FUNCTIONS.get(name)
    if function is None or not (name != "shell" or place is None or _is_local(place)):
        return None
    skills = place.get("skills") if name == "shell" and isinstance(place, dict) else None
    described = [_skill(skill) for skill in skills if isinstance(skill, dict)] if isinstance(skills, list) else []
    return {**function, "name": name, "description": "\n".join([function["description"], *described])}


def _is_local(environment: Any) -> bool:
    return isinstance(environment, dict) and environment.get("type") == "local"


def _skill(skill: Mapping[str, Any]) -> str:
    """A line about instructions that the client's machine holds."""
    return f"Skill {skill.get('name')}, in {skill.get('path')}: {skill.get('description')}"


def call_fields(kind: ToolKind, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the item of a call with these *arguments*, those of a server's model as far as the type allows."""
    timeout = _count(arguments.get("timeout_ms"))
    if kind == "shell":
        commands, length = _words(arguments.get("commands")), _count(arguments.get("max_output_length"))
        action = {"commands": commands, "timeout_ms": timeout, "max_output_length": length}
        return {"action": action, "environment": {"type": "local"}}
    if kind == "local_shell":
        directory = arguments.get("working_directory")
        more = {"working_directory": directory if isinstance(directory, str) else None, "timeout_ms": timeout}
        told = {name: value for name, value in more.items() if value is not None}
        return {"action": {"type": "exec", "command": _words(arguments.get("command")), "env": {}, **told}}
    operation = {name: text_or_empty(arguments.get(name)) for name in ("type", "path", "diff")}
    if operation["type"] == "delete_file":
        del operation["diff"]
    return {"operation": operation}


def arguments_of(call: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in the item of a *call*, as the model gave them: what stands there unasked is left out."""
    given = call.get("action") or call.get("operation")
    told = given.items() if isinstance(given, dict) else ()
    unasked = ("type",) if call["type"] == "local_shell_call" else ()
    return {name: value for name, value in told if value not in (None, {}) and name not in unasked}


def result_fields(kind: ToolKind, text: str, *, failed: bool) -> dict[str, Any]:
    """The fields of the item of a result, of which *text* is kept."""
    if kind == "shell":
        return {"status": "completed", "output": _printed(text), "max_output_length": None}
    return {"status": "failed" if failed else "completed", "output": text}


def _printed(text: str) -> list[Any]:
    """What each command of a shell's call printed."""
    try:
        outputs = orjson.loads(text)
    except orjson.JSONDecodeError:
        outputs = None
    if isinstance(outputs, list) and all(isinstance(each, dict) for each in outputs) and not is_too_deep(outputs):
        return outputs
    return [{"stdout": text, "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]


def _words(value: Any) -> list[str]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None
