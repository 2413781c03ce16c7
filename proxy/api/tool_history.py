"""What an earlier model did with tools, as text: the site's bots have none, yet a history that holds calls and results
(of a client that changed its model, for one) is to reach them whole."""

from collections.abc import Mapping
from typing import Any


class ToolHistory:
    """Reads the messages of one request in order, and remembers which call was to which tool."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def text(self, item: Mapping[str, Any], text: str) -> str:
        """The whole text of the message *item*, whose content is *text*."""
        role = item.get("role")
        if role == "assistant":
            return "\n".join(part for part in (text, *self._calls(item)) if part)
        if role in ("tool", "function"):
            name = item.get("name") or self._names.get(str(item.get("tool_call_id")))
            return f"[result of {name}]\n{text}" if name else f"[result]\n{text}"
        return text

    def _calls(self, item: Mapping[str, Any]) -> list[str]:
        """A line for each call that names its tool, in the shapes of now and of before."""
        calls = item.get("tool_calls")
        calls = list(calls) if isinstance(calls, list) else []
        calls.append({"function": item.get("function_call")})
        lines = []
        for call in calls:
            asked = call.get("function") or call.get("custom") if isinstance(call, dict) else None
            name = asked.get("name") if isinstance(asked, dict) else None
            if isinstance(asked, dict) and isinstance(name, str):
                self._names[str(call.get("id"))] = name
                lines.append(f"[called {name}({asked.get('arguments') or asked.get('input') or ''})]")
        return lines
