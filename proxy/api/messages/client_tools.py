"""The tools that Anthropic defines and the client runs. Its own models know them; all others have to be told."""

import re
from collections.abc import Mapping
from typing import Any

_TEXT = {"type": "string"}
_LINE = {"type": "integer"}
_EDITING: Mapping[str, Any] = {
    "path": _TEXT,
    "file_text": _TEXT,
    "old_str": _TEXT,
    "new_str": _TEXT,
    "insert_line": _LINE,
    "insert_text": _TEXT,
    "view_range": {"type": "array", "items": _LINE},
}
_EDITS = (
    "view (path, and view_range: its first and last line), create (path, file_text), "
    "str_replace (path; old_str, which occurs once, and new_str), insert (path, insert_text, and insert_line: the line "
    "that it comes after, or 0)"
)
_EDIT_COMMANDS = ("view", "create", "str_replace", "insert")


def _schema(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [required]}


def _commands(*names: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(names)}


_DEFINED: Mapping[str, Mapping[str, Any]] = {
    "bash": {
        "description": "Run a command in a shell that stays open between calls. With restart, the shell is a new one.",
        "input_schema": _schema("command", command=_TEXT, restart={"type": "boolean"}),
    },
    "text_editor": {
        "description": f"View and edit files. Commands and what they take: {_EDITS}.",
        "input_schema": _schema("command", command=_commands(*_EDIT_COMMANDS), **_EDITING),
    },
    "memory": {
        "description": "Your memory: files below /memories, which stay from one conversation to the next. Commands and "
        f"what they take: {_EDITS}, delete (path), rename (old_path, new_path).",
        "input_schema": _schema(
            "command",
            command=_commands(*_EDIT_COMMANDS, "delete", "rename"),
            **_EDITING,
            old_path=_TEXT,
            new_path=_TEXT,
        ),
    },
}
_DATED = re.compile(r"([a-z_]+)_\d{8}")


def as_custom(item: Any) -> Any:
    """*item* of `tools` as a tool with a description and a schema, if it is one of these; else as it is."""
    kind = item.get("type") if isinstance(item, dict) else None
    dated = _DATED.fullmatch(kind) if isinstance(kind, str) else None
    defined = _DEFINED.get(dated[1]) if dated else None
    return {**item, **defined, "type": "custom"} if defined else item
