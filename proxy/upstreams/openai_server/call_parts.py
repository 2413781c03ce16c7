"""The tool calls of one answer of a server, which come in pieces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import orjson

from proxy.chat.extras import CALL_SIGNATURE, signed
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.tools.loose_json import MalformedJson, dump_json
from proxy.upstreams.openai_server.refusals import cut_off
from shared.conversations import ToolCall

MAX_CALLS = 128  # of one answer
MAX_ARGUMENTS = 1024 * 1024  # characters of one call


@dataclass(slots=True)
class _Part:
    """A tool call as far as it has arrived."""

    id: str = ""
    name: str = ""
    written: StringIO = field(default_factory=StringIO)  # its arguments, which may come in very many pieces
    signature: Any = None  # as `CALL_SIGNATURE`

    @property
    def arguments(self) -> str:
        """The arguments so far; some servers send `null` for none, which no client takes for an object."""
        text = self.written.getvalue()
        return "" if text.strip() in ("", "null") else text


class CallParts:
    """Joins the pieces of calls."""

    def __init__(self, server: str, offer: ToolConfig | None, new_id: Callable[[], str]) -> None:
        """*offer*: the tools that may be called. *new_id*: makes ids for calls without one."""
        self._server, self._new_id = server, new_id
        self._tools = offer.labels if offer else {}
        self._parts: list[_Part] = []
        self._newest: dict[Any, _Part] = {}  # by the index that the server gives them

    def add(self, calls: Any) -> None:
        """Add what a chunk holds as its `tool_calls`. Raises `Refusal` where they do not end, or cannot be told."""
        for position, piece in enumerate(calls if isinstance(calls, list) else ()):
            function = piece.get("function") if isinstance(piece, dict) else None
            if isinstance(function, dict):
                self._add(position, piece, function)

    def _add(self, position: int, piece: Mapping[str, Any], function: Mapping[str, Any]) -> None:
        index, call_id = piece.get("index"), piece.get("id")
        key = index if isinstance(index, int) else position
        before = part = self._newest.get(key)
        if part is None or _starts_new_call(part, call_id, function):
            part = self._newest[key] = _Part()
            self._parts.append(part)
        part.id = part.id or (call_id if isinstance(call_id, str) else "")
        if len(self._parts) > MAX_CALLS or part.written.tell() > MAX_ARGUMENTS:
            raise cut_off(self._server, "its calls do not end", has_begun=True)
        part.signature = part.signature or piece.get(CALL_SIGNATURE)
        part.name = part.name or (function["name"] if isinstance(function.get("name"), str) else "")
        part.name = part.name or (before.name if before is not None else "")
        arguments = function.get("arguments")
        if arguments is not None:
            try:
                part.written.write(arguments if isinstance(arguments, str) else dump_json(arguments))
            except MalformedJson as error:
                why = f"a call of it cannot be told: {error}"
                raise cut_off(self._server, why, has_begun=True) from None

    def joined(self, thoughts: Mapping[str, Any], *, is_cut: bool) -> list[ToolCall]:
        """The calls; *thoughts* go back with the first. *is_cut*: those without an end are left out."""
        parts = [part for part in self._parts if part.name and not (is_cut and not _is_object(part.arguments))]
        return [self._call(part, {} if number else thoughts) for number, part in enumerate(parts)]

    def _call(self, part: _Part, thoughts: Mapping[str, Any]) -> ToolCall:
        tool = self._tools.get(part.name)
        sent = signed({**thoughts, CALL_SIGNATURE: part.signature})
        part.id = part.id or self._new_id()
        if tool is None:
            return ToolCall(id=part.id, name=part.name, arguments=part.arguments or "{}", signed=sent)
        arguments = _input(part.arguments) if tool.kind == "custom" else part.arguments or "{}"
        space = tool.namespace
        return ToolCall(id=part.id, name=tool.name, arguments=arguments, kind=tool.kind, namespace=space, signed=sent)


def _starts_new_call(part: _Part, call_id: Any, function: Mapping[str, Any]) -> bool:
    """Whether what is *function*, with an id of its *call_id* or none, begins another call than *part*.

    Some servers count every call as the first; others give each piece of one call another id.
    """
    if call_id and part.id and (call_id == part.id or function.get("name")):
        return bool(call_id != part.id)
    piece = function.get("arguments")
    begins = isinstance(piece, dict) or (isinstance(piece, str) and piece.lstrip().startswith("{"))
    return begins and _is_object(part.arguments)


def _input(arguments: str) -> str:
    """The free text in the arguments of a custom tool."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
