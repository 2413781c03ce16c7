"""What a stream tells of a call between the beginning of its item and its end."""

from collections.abc import Iterator, Mapping
from typing import Any

Item = Mapping[str, Any]


def begun(item: Item) -> dict[str, Any]:
    """The *item* of a call as it begins: nothing is told yet of what is called."""
    return {**item, **_nothing(item), "status": "in_progress"}


def _nothing(item: Item) -> dict[str, Any]:
    match item["type"]:
        case "function_call":
            return {"arguments": ""}
        case "custom_tool_call":
            return {"input": ""}
        case "tool_search_call":
            return {"arguments": {}}
        case "shell_call":
            return {"action": {**item["action"], "commands": []}}
        case "apply_patch_call" if "diff" in item["operation"]:
            return {"operation": {**item["operation"], "diff": ""}}
    return {}


def pieces(item: Item, index: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is called, as types and fields of events; *index*: the item's in the output."""
    place = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "function_call":
            yield "function_call_arguments.delta", {**place, "delta": item["arguments"]}
            yield "function_call_arguments.done", {**place, "name": item["name"], "arguments": item["arguments"]}
        case "custom_tool_call":
            yield "custom_tool_call_input.delta", {**place, "delta": item["input"]}
            yield "custom_tool_call_input.done", {**place, "input": item["input"]}
        case "shell_call":
            for number, command in enumerate(item["action"]["commands"]):
                which = {"output_index": index, "command_index": number}
                yield "shell_call_command.added", {**which, "command": ""}
                yield "shell_call_command.delta", {**which, "delta": command}
                yield "shell_call_command.done", {**which, "command": command}
        case "apply_patch_call" if "diff" in item["operation"]:
            diff = item["operation"]["diff"]
            yield "apply_patch_call_operation_diff.delta", {**place, "delta": diff}
            yield "apply_patch_call_operation_diff.done", {**place, "diff": diff}
