"""The items that clients send to OpenAI's Responses and Conversations APIs, as messages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from proxy.api.chat_completions.request import read_messages
from proxy.api.conversations.client_tools import CLIENT_TOOLS, arguments_of
from proxy.api.conversations.items import message_of
from proxy.api.images.reading import Picture, without_unusable
from proxy.api.opaque import decode_signature, decode_summary, decode_thought
from proxy.api.responses.tools import found_in, is_by_client
from proxy.api.tools import as_json, text_or_empty
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.tools.prompts import found_tools_text
from shared.conversations import Message, ToolCall, ToolKind, ToolResult

# What hosted tools and other models did: it holds nothing that a model could be told in words. And tools, which are
# offered like all others.
_UNREAD = frozenset(
    {
        "additional_tools",
        "web_search_call",
        "file_search_call",
        "computer_call",
        "computer_call_output",
        "image_generation_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "program",
        "program_output",
    }
)
_DEFINED: Mapping[str, ToolKind] = {f"{kind}_call": kind for kind in CLIENT_TOOLS}
_CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "mcp_call",
        "code_interpreter_call",
        "tool_search_call",
        *_DEFINED,
    }
)
_CALLS_WITH_RESULT = ("mcp_call", "code_interpreter_call")  # of tools that the model's server runs itself
_COMPACTIONS = frozenset({"compaction", "compaction_summary", "context_compaction"})
SUMMARY = "Summary of the conversation so far:\n\n"
Read = tuple[tuple[Message, ...], dict[str, Picture]]
_OWN_ID = re.compile(r"rs_[0-9a-f]{48}_\d+")  # of thoughts that were told here; what stands as a summary is all of it
_CIPHER = "gAAAAA"  # how those of OpenAI's begin
_SEARCHES = ("tool_search_call", "tool_search_output")
_KINDS: Mapping[str, ToolKind] = {"custom_tool_call": "custom", "tool_search_call": "tool_search", **_DEFINED}


def read_items(items: Any, *, name: str, may_refer: bool = False) -> Read:
    """The messages that *items*, the value of the field *name*, amount to, and their pictures by name.

    The items of an answer, of its calls and of the reasoning before them make one message. With *may_refer* an item may
    be a reference to an earlier answer: its message has that one's id, and the reference as its text. Items that no
    model is told of make no message. Raises `ServiceError` (400).
    """
    if not isinstance(items, list):
        raise bad_request(f"'{name}' must be a list of items.", param=name)
    gathered = _Gathered()
    for index, item in enumerate(items):
        where = f"{name}.{index}"
        kind = _kind(item)
        if kind == "reasoning":
            gathered.think(_thought(item), decode_signature(item.get("encrypted_content")))
        elif _is_unread(kind, item):
            continue
        elif kind == "message":
            gathered.say(item)
        elif kind == "agent_message" or kind in _COMPACTIONS:
            summary = decode_summary(item.get("encrypted_content"))
            gathered.say({"role": "user", "content": SUMMARY + summary if summary else _readable(item.get("content"))})
        elif kind == "item_reference" and may_refer:
            gathered.refer(_reference(item, f"{where}.id"))
        elif call := read_call(kind, item):
            gathered.call(call)
            if kind in _CALLS_WITH_RESULT:
                gathered.result(*_result_of_call(kind, item, call))
        elif kind == "tool_search_output" or kind.endswith("_call_output"):
            gathered.result(*_result(kind, item))
        else:
            raise _unreadable(where, kind)
    return without_unusable(*gathered.messages(name)) if gathered.fields or not items else ((), {})


def _result_of_call(kind: str, item: Mapping[str, Any], call: ToolCall) -> tuple[ToolResult, str]:
    """The result that the item of *call* holds itself, and its text."""
    is_failed = bool(item.get("error")) or item.get("status") == "failed"
    text = (item.get("error") or item.get("output")) if kind == "mcp_call" else _logs(item)
    return ToolResult(call_id=call.id, failed=is_failed), text_or_empty(text)


def _result(kind: str, item: Mapping[str, Any]) -> tuple[ToolResult, Any]:
    """The result that *item* is, and its content: a text, or content parts. Raises `ServiceError` (400)."""
    if kind == "tool_search_output":
        result = ToolResult(call_id=text_or_empty(item.get("call_id")), kind="tool_search")
        return result, found_tools_text(tuple(found_in(item)))
    result = ToolResult(
        call_id=text_or_empty(item.get("call_id") or item.get("id")),
        name=text_or_empty(item.get("name")) if not item.get("namespace") else "",
        failed=item.get("status") == "failed",
        kind=_KINDS.get(kind.removesuffix("_output"), "function"),
    )
    output = item.get("output")
    is_parts = isinstance(output, list) and kind != "shell_call_output"
    return result, output if is_parts else as_json(output)


def _logs(item: Mapping[str, Any]) -> str:
    """What the code in a `code_interpreter_call` printed."""
    outputs = item.get("outputs")
    logs = [each.get("logs") for each in outputs if isinstance(each, dict)] if isinstance(outputs, list) else []
    return "\n".join(text for text in logs if isinstance(text, str))


def _thought(item: Mapping[str, Any]) -> str:
    """The text of a reasoning item; summaries of others are no thoughts."""
    parts = item.get("content") or (item.get("summary") if _OWN_ID.fullmatch(text_or_empty(item.get("id"))) else None)
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "".join(text for text in texts if isinstance(text, str)) or decode_thought(item.get("encrypted_content"))


def _is_unread(kind: str, item: Any) -> bool:
    """Whether no model is told of it here."""
    if kind == "configuration_update":  # of how hard to think, which is read with the request's own fields
        return not item.get("text")
    if kind in _COMPACTIONS:  # those of others are read by their servers alone
        return not decode_summary(item.get("encrypted_content"))
    is_extension = ":" in kind  # `vendor:kind`: somebody's own, as Open Responses has them named
    return is_extension or kind in _UNREAD or (kind in _SEARCHES and not is_by_client(item))


def _readable(content: Any) -> Any:
    """What one agent of Codex' told another: what it calls encrypted is the text that its model gave, unless OpenAI's
    servers made a cipher of it."""
    if not isinstance(content, list):
        return content
    return [
        {"type": "text", "text": part.get("encrypted_content")} if part.get("type") == "encrypted_content" else part
        for part in content
        if isinstance(part, dict) and not text_or_empty(part.get("encrypted_content")).startswith(_CIPHER)
    ]


class _Gathered:
    """Items as chat messages, with what each is besides."""

    def __init__(self) -> None:
        self.fields: list[Any] = []
        self._more: dict[int, dict[str, Any]] = {}  # of the message at that place
        self._named: set[int] = set()  # places of answers that are only named
        self._thought = self._signed = ""  # before the call that comes next

    def say(self, item: Any) -> None:
        """A message. The text of an answer may come behind its calls, too."""
        last = len(self.fields) - 1
        if not isinstance(item, dict) or item.get("role") != "assistant":
            self._thought = self._signed = ""
        elif self._more.get(last, {}).get("calls") and not self.fields[last].get("content"):
            self.fields[last] = item
            return
        self.fields.append(item)

    def think(self, text: str, signed: str) -> None:
        """What a model thought, or its server signed. It belongs to the calls of the answer that follows, if any do."""
        self._thought, self._signed = text or self._thought, signed

    def refer(self, item_id: str) -> None:
        """An earlier answer by its name, or another part of the one that was named last."""
        message_id = message_of(item_id)
        if self._more.get(len(self.fields) - 1, {}).get("id") != message_id:
            self._named.add(len(self.fields))
            self._add("assistant", item_id, id=message_id)

    def call(self, call: ToolCall) -> None:
        """A call: of the answer before it, if one is."""
        last = len(self.fields) - 1
        before = self.fields[last] if last >= 0 else None
        if not isinstance(before, dict) or before.get("role") != "assistant" or last in self._named:
            last += 1
            self._add("assistant", "")
        more = self._more.setdefault(last, {})
        more["calls"] = (*more.get("calls", ()), replace(call, signed=self._signed))
        self._signed = ""
        if self._thought:
            more["thoughts"] = more.get("thoughts", "") + self._thought
            self._thought = ""

    def result(self, result: ToolResult, content: Any) -> None:
        """What a call gave."""
        self._thought = self._signed = ""
        self._add("user", content, result=result)

    def messages(self, name: str) -> Read:
        """All of them, with what belongs to them. Raises `ServiceError` (400)."""
        read, pictures = read_messages(self.fields, name=name)
        messages = list(read)
        for place, more in self._more.items():
            messages[place] = replace(messages[place], **more)
        return tuple(messages), pictures

    def _add(self, role: str, content: Any, **more: Any) -> None:
        self._more[len(self.fields)] = more
        self.fields.append({"role": role, "content": content})


def read_call(kind: str, item: Mapping[str, Any]) -> ToolCall | None:
    """The call that *item* is, of this model or of another one; None where it is none."""
    if kind not in _CALLS:
        return None
    given = item.get("arguments")
    if kind == "custom_tool_call":
        given = item.get("input")
    elif kind == "code_interpreter_call":
        given = {"code": text_or_empty(item.get("code"))}
    elif kind in _DEFINED:
        given = arguments_of(item)
    return ToolCall(
        id=text_or_empty(item.get("call_id") or item.get("id")),
        name=text_or_empty(item.get("name")) or kind.removesuffix("_call"),
        arguments=as_json(given),
        kind=_KINDS.get(kind, "function"),
        namespace=text_or_empty(item.get("namespace")) or None,
    )


def _kind(item: Any) -> str:
    """The type of an item, which may be left out."""
    if not isinstance(item, dict):
        return "message"
    kind = item.get("type")
    if kind is None:
        return "item_reference" if "id" in item and "role" not in item else "message"
    return kind if isinstance(kind, str) else ""


def _reference(item: Mapping[str, Any], where: str) -> str:
    name = item.get("id")
    if not isinstance(name, str) or not name:
        raise bad_request(f"'{where}' must name an item.", param=where, code="invalid_type")
    return name


def _unreadable(where: str, kind: str) -> ServiceError:
    return bad_request(
        f"'{where}' has a type the site cannot take ({kind[:40]!r}); use messages.",
        param=where,
        code="unsupported_item",
    )
