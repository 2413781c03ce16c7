"""The messages of Anthropic's API, which are made of blocks, as neutral ones: calls are part of an answer, and each
result is a message of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.api.content import Content
from proxy.api.images.reading import Picture, read_part, read_picture, without_unusable
from proxy.api.opaque import decode_signature
from proxy.api.parameters import MAX_MESSAGES, wrong_type
from proxy.api.tools import as_json, text_or_empty
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.tools.definitions import Tool
from proxy.chat.tools.prompts import found_tools_text
from shared.conversations import Message, Role, ToolCall, ToolResult

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


def read_messages(
    value: Any, deferred: Mapping[str, Tool] | None = None
) -> tuple[tuple[Message, ...], dict[str, Picture]]:
    """The messages of a request, and their pictures by what names them. Raises `ServiceError` (400).

    *deferred*: tools that the model is told of where a search among tools found them.
    """
    if not isinstance(value, list) or not value:
        raise bad_request("'messages' must be a list of at least one message.", param="messages")
    if len(value) > MAX_MESSAGES:
        raise bad_request(f"'messages' holds more than {MAX_MESSAGES} messages.", param="messages")
    blocks = _Blocks(deferred or {})
    for index, item in enumerate(value):
        where = f"messages.{index}"
        role = item.get("role") if isinstance(item, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            raise bad_request(f"'{where}.role' must be user or assistant.", param=f"{where}.role", code="invalid_value")
        blocks.message(_ROLES[role], item.get("content"), f"{where}.content")
    if not blocks.messages:
        raise bad_request("'messages' must hold a message of the user.", param="messages", code="empty_message")
    return without_unusable(blocks.messages, blocks.pictures)


def read_texts(value: Any, where: str) -> list[str]:
    """The texts of a string, or of a list of text blocks. Raises `ServiceError` (400)."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise wrong_type(where, "a string or a list of blocks")
    texts = []
    for index, block in enumerate(value):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise bad_request(f"'{where}.{index}' must be a text block.", param=f"{where}.{index}")
        texts.append(_text(block, "text", f"{where}.{index}"))
    return texts


class _Blocks:
    """Takes messages, a block at a time."""

    def __init__(self, deferred: Mapping[str, Tool]) -> None:
        self._deferred = deferred
        self._found: list[Tool] = []
        self.messages: list[Message] = []
        self.pictures: dict[str, Picture] = {}
        self._content = Content()  # of the message that is read
        self._calls: list[ToolCall] = []
        self._thoughts: list[str] = []
        self._signed = ""  # of the call that comes next

    def message(self, role: Role, content: Any, where: str) -> None:
        """One message of the request, which may be several of ours."""
        if isinstance(content, str):
            self.messages.append(Message(role=role, text=content))
            return
        before = len(self.messages)
        for index, block in enumerate(_listed(content, where)):
            self._block(role, block, f"{where}.{index}")
        is_told = role != "system"  # such a message may change effort, or tools, and nothing else
        if self._has_any() or (is_told and len(self.messages) == before):
            self._close(role)

    def _block(self, role: Role, block: Any, where: str) -> None:
        kind = block.get("type") if isinstance(block, dict) else None
        if not isinstance(kind, str):
            raise wrong_type(where, "a block with a type")
        if kind in ("tool_result", "mcp_tool_result"):
            if self._has_any():
                self._close(role)
            self._result(block, where)
        elif kind in ("tool_use", "mcp_tool_use"):
            self._calls.append(replace(_call(block, where), signed=self._signed))
            self._signed = ""
        elif read := _READERS.get(kind):
            read(self, block, where)
        elif kind == "thinking":
            self._thoughts.append(text_or_empty(block.get("thinking")))
        elif kind == "redacted_thinking":
            self._signed = decode_signature(block.get("data"))
        elif role != "assistant":  # what others did beside their answers is left out
            raise _unsupported(where, kind)

    def _result(self, block: Mapping[str, Any], where: str) -> None:
        about = ToolResult(call_id=_call_id(block.get("tool_use_id")), failed=block.get("is_error") is True)
        if block.get("content") is not None:
            self._say(block["content"], f"{where}.content")
        self._close("user", about)

    def _say(self, content: Any, where: str) -> None:
        """What a result or a document holds: a text, or blocks that say something."""
        if isinstance(content, str):
            self._content.say(content)
            return
        for index, block in enumerate(_listed(content, where)):
            kind = block.get("type") if isinstance(block, dict) else None
            read = _READERS.get(kind) if isinstance(kind, str) else None
            if read is None:
                raise _unsupported(f"{where}.{index}", str(kind))
            read(self, block, f"{where}.{index}")

    def text(self, block: Mapping[str, Any], where: str) -> None:
        """A text."""
        self._content.say(_text(block, "text", where))

    def compaction(self, block: Mapping[str, Any], where: str) -> None:
        """A summary of what was said before."""
        self._content.say(text_or_empty(block.get("content")))

    def reference(self, block: Mapping[str, Any], where: str) -> None:
        """The name of a tool that a search among tools found; one that was deferred is told whole."""
        name = _text(block, "tool_name", where)
        if name in self._deferred:
            self._found.append(self._deferred[name])
        else:
            self._content.say(name)

    def tool_change(self, block: Mapping[str, Any], where: str) -> None:
        """A tool that can be called from now on, which is told where it was deferred, or no longer: its call would fail
        at the client."""
        tool = block.get("tool")
        name = tool.get("name") if isinstance(tool, dict) and block["type"] == "tool_addition" else None
        if isinstance(name, str) and name in self._deferred:
            self._found.append(self._deferred[name])

    def image(self, block: Mapping[str, Any], where: str) -> None:
        """A picture, as base64 or by its address."""
        place, source = f"{where}.source", _source(block)
        if source.get("type") not in ("base64", "url"):
            raise bad_request(f"'{place}' must be base64 or a URL.", param=place)
        url = _data_url(source, place) if source["type"] == "base64" else source.get("url")
        self._show(*read_picture(url, place))

    def image_url(self, block: Mapping[str, Any], where: str) -> None:
        """A picture as chat completions tell it, where calls are told as here."""
        self._show(*read_picture(block.get("image_url"), where))

    def document(self, block: Mapping[str, Any], where: str) -> None:
        """A document: as a text where it is one; others only servers can take."""
        place, source = f"{where}.source", _source(block)
        kind = source.get("type")
        names = ("title", "context") if kind != "base64" else ("context",)  # its title is the file's name
        self._label(block, names)
        if kind == "text":
            self._content.say(_text(source, "data", place))
        elif kind == "content":
            self._say(source.get("content"), f"{place}.content")
        elif kind == "base64":
            name = text_or_empty(block.get("title")) or "document"
            file = {"filename": name, "file_data": _data_url(source, place)}
            self._show(*read_part({"type": "file", "file": file}, place))
        else:
            raise bad_request(
                f"'{place}' must be text or base64: no files are kept here, and none are fetched.",
                param=place,
                code="unsupported_content_part",
            )

    def found(self, block: Mapping[str, Any], where: str) -> None:
        """Something that a search of the client's found."""
        self._label(block, ("title", "source"))
        for text in read_texts(block.get("content"), f"{where}.content"):
            self._content.say(text)

    def _show(self, name: str, picture: Picture) -> None:
        self.pictures[name] = picture
        self._content.show(name)

    def _label(self, block: Mapping[str, Any], names: Sequence[str]) -> None:
        for name in names:
            if text := text_or_empty(block.get(name)):
                self._content.say(text)

    def _has_any(self) -> bool:
        return bool(self._content or self._calls or self._found)

    def _close(self, role: Role, result: ToolResult | None = None) -> None:
        calls = tuple(self._calls) if role == "assistant" else ()
        if self._found:
            self._content.say(found_tools_text(self._found))
        text, images, places = self._content.text, self._content.images, self._content.places
        thoughts = "".join(self._thoughts) if calls else ""
        self.messages.append(
            Message(role=role, text=text, images=images, places=places, calls=calls, thoughts=thoughts, result=result)
        )
        self._content, self._calls, self._found, self._thoughts = Content(), [], [], []
        self._signed = ""


_READERS: Mapping[str, Callable[[_Blocks, Mapping[str, Any], str], None]] = {
    "text": _Blocks.text,
    "image": _Blocks.image,
    "image_url": _Blocks.image_url,
    "document": _Blocks.document,
    "search_result": _Blocks.found,
    "tool_reference": _Blocks.reference,
    "tool_addition": _Blocks.tool_change,
    "tool_removal": _Blocks.tool_change,
    "compaction": _Blocks.compaction,
}


def _call(block: Mapping[str, Any], where: str) -> ToolCall:
    name = _text(block, "name", where)
    if not name:
        raise bad_request(f"'{where}.name' must name a tool.", param=f"{where}.name", code="invalid_type")
    return ToolCall(id=_call_id(block.get("id")), name=name, arguments=as_json(block.get("input") or {}))


def to_client_id(call_id: str) -> str:
    """A call's id in the form that clients of this API expect; signed content may name ids of other forms."""
    return f"toolu_{call_id.removeprefix('call_')}" if call_id.startswith("call_") else call_id


def _call_id(value: Any) -> str:
    """What `to_client_id` was made of."""
    name = text_or_empty(value)
    return f"call_{name.removeprefix('toolu_')}" if name.startswith("toolu_") else name


def _source(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a picture or a document comes from; empty where nothing says it."""
    source = block.get("source")
    return source if isinstance(source, dict) else {}


def _data_url(source: Mapping[str, Any], where: str) -> str:
    return f"data:{text_or_empty(source.get('media_type'))};base64,{_text(source, 'data', where)}"


def _text(block: Mapping[str, Any], name: str, where: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise wrong_type(f"{where}.{name}", "a string")
    return value


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise wrong_type(where, "a string or a list of blocks")
    return value


def _unsupported(where: str, kind: str) -> ServiceError:
    message = f"'{where}' is a block that the site cannot take ({kind[:40]}); use text or image."
    return bad_request(message, param=where, code="unsupported_content_part")
