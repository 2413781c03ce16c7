"""The message objects of Anthropic's API, and the events that they are streamed as."""

import base64
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson

from proxy.api.messages.blocks import to_client_id
from proxy.api.messages.errors import error_body
from proxy.api.opaque import encode_signature
from proxy.api.pieces import pieces
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extras
from proxy.chat.nesting import is_too_deep
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Citation, Message, ToolCall
from shared.plugins.lenient_json import read_json

# Clients want one that is not empty, and send it back with the thoughts; nobody checks this one.
SIGNATURE = base64.b64encode(b"told by a server, signed by nobody").decode()
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_STARTING_USAGE = ("cache_creation", "service_tier", "inference_geo", "speed")  # of the usage, and not at the end


class MessageReply:
    """Builds one message: whole, or as the events that tell of it block by block."""

    def __init__(
        self, *, id: str, model: str, asked: Callable[[], int], request_id: str, of_json: bool = False
    ) -> None:
        """*asked*: tells the tokens of the question. *request_id*: is part of errors. *of_json*: all text has to be
        JSON, as which clients read it, so that a refusal is told at the end alone."""
        self._base = {"id": id, "type": "message", "role": "assistant", "model": model}
        self._asked = asked
        self._request_id = request_id
        self._of_json = of_json
        self._number = 0  # of that block, or the next one
        self._open: Literal["text", "thinking"] | None = None  # the block that goes on
        self._delta_start = b""  # of a text event, up to its text

    def opening(self) -> bytes:
        """The first event; what blocks there are is not known yet."""
        usage = _usage(Usage(self._asked(), 0), ())
        return _event("message_start", message=self._message([], None, usage))

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """Return the function that makes a delta of a piece of text."""
        return self._delta

    def call(self, _: int, call: ToolCall) -> bytes:
        """The block of a call; what comes before it is whole before that begins."""
        events = self._close()
        if call.signed:
            events += self._start(_signed_block(call)) + self._stop()
        events += self._start(_tool_block(call, {}))
        for piece in ("", *pieces(call.arguments or "{}")):
            events += self._add({"type": "input_json_delta", "partial_json": piece})
        return events + self._stop()

    def text_with_extras(self, _: int, extras: Extras) -> bytes:
        """The deltas of thoughts, and of a text; of log probabilities this API knows nothing."""
        events = b""
        if extras.reasoning_text:
            if self._open != "thinking":
                events = self._close() + self._start(_thinking_block("", ""))
                self._open = "thinking"
            events += self._add({"type": "thinking_delta", "thinking": extras.reasoning_text})
        return events + self._delta(extras.text) if extras.text else events

    def keepalive(self) -> bytes:
        """An event that adds nothing."""
        return PING

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The events that end a whole message."""
        end = ends[0]
        last = b""
        if end.refusal is not None and not self._of_json:
            last += self._delta(end.refusal)
        last += self._close(end.sources)
        usage = _usage(used, end.sources)
        remaining = {name: usage[name] for name in usage if name not in _STARTING_USAGE}
        last += _event("message_delta", delta={**_stopped(end), "container": None}, usage=remaining)
        return last + _event("message_stop")

    def failure(self, error: ServiceError) -> bytes:
        """The event in place of the rest of a message that broke off."""
        return b"event: error\ndata: " + orjson.dumps(error_body(error, self._request_id)) + b"\n\n"

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The message in one piece."""
        answer, end = answers[0], ends[0]
        text = answer.text + ("" if self._of_json else end.refusal or "")
        thought = end.extras.reasoning_text if end.extras else ""
        content = [_thinking_block(thought, SIGNATURE)] if thought else []
        if text:
            content.append(_text_block(text, end.sources))
        for call in answer.calls:
            if call.signed:
                content.append(_signed_block(call))
            content.append(_tool_block(call, _given(call)))
        return self._message(content, end, _usage(used, end.sources))

    def _message(self, content: list[dict[str, Any]], end: End | None, usage: dict[str, Any]) -> dict[str, Any]:
        unused = {"container": None, "diagnostics": None}
        return {**self._base, "content": content, **_stopped(end), **unused, "usage": usage}

    def _delta(self, text: str) -> bytes:
        begun = b"" if self._open == "text" else self._open_text()
        return b"".join((begun, self._delta_start, orjson.dumps(text), b"}}\n\n"))

    def _open_text(self) -> bytes:
        events = self._close() + self._start(_text_block(""))
        self._open = "text"
        # Only the text differs from one text event to the next: the hot path encodes nothing else.
        self._delta_start = self._add({"type": "text_delta", "text": ""}).rpartition(b'""')[0]
        return events

    def _close(self, sources: Sequence[Citation] = ()) -> bytes:
        """The events that end the block that is open, if one is."""
        closed, self._open = self._open, None
        if closed is None:
            return b""
        if closed == "thinking":
            return self._add({"type": "signature_delta", "signature": SIGNATURE}) + self._stop()
        cited = [self._add({"type": "citations_delta", "citation": citation}) for citation in _citations(sources)]
        return b"".join((*cited, self._stop()))

    def _start(self, block: dict[str, Any]) -> bytes:
        return _event("content_block_start", index=self._number, content_block=block)

    def _add(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._number, delta=delta)

    def _stop(self) -> bytes:
        number, self._number = self._number, self._number + 1
        return _event("content_block_stop", index=number)


def _event(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **fields}) + b"\n\n"


def _given(call: ToolCall) -> Any:
    """The arguments as the object that this API tells. Raises `ServiceError` (502) where a server gave none."""
    given = read_json(call.arguments or "{}")
    if given is None or is_too_deep(given):
        raise ServiceError(
            502, "The model gave no valid call of a tool.", type="server_error", code="invalid_tool_call"
        )
    return given


def _text_block(text: str, sources: Sequence[Citation] = ()) -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": _citations(sources)}


def _thinking_block(thought: str, signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": thought, "signature": signature}


def _signed_block(call: ToolCall) -> dict[str, Any]:
    """What a server signed of *call*: clients cannot read it, and send it back before the call."""
    return {"type": "redacted_thinking", "data": encode_signature(call)}


def _tool_block(call: ToolCall, given: Any) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": to_client_id(call.id),
        "name": call.name,
        "input": given,
        "caller": {"type": "direct"},
    }


def _citations(sources: Sequence[Citation]) -> list[dict[str, Any]]:
    """*sources* as what a search found; of the pages themselves no text is known."""
    return [
        {
            "type": "web_search_result_location",
            "url": source.url,
            "title": source.title,
            "encrypted_index": "",
            "cited_text": "",
        }
        for source in sources
    ]


def _stopped(end: End | None) -> dict[str, Any]:
    """Why the message ended, if it has."""
    reason, stop, details = None, None, None
    if end is not None and (end.refusal is not None or end.reason == "content_filter"):
        reason, details = "refusal", {"type": "refusal", "category": None, "explanation": end.refusal}
    elif end is not None and end.stop is not None and end.reason == "stop":
        reason, stop = "stop_sequence", end.stop
    elif end is not None:
        reason = REASONS[end.reason]
    return {"stop_reason": reason, "stop_sequence": stop, "stop_details": details}


def _usage(used: Usage, sources: Sequence[Citation]) -> dict[str, Any]:
    """Anthropic's usage object, with cached tokens apart. Counts are estimates where the upstream reports none."""
    cached = min(used.cached_tokens, used.prompt_tokens)
    return {
        "input_tokens": used.prompt_tokens - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"thinking_tokens": used.reasoning_tokens},
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0} if sources else None,
        "service_tier": "standard",
        "inference_geo": None,
        "speed": None,
    }
