"""OpenAI's shapes for chat answers, whole and in chunks, and the event stream they travel in."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import orjson

from proxy.api.chat_completions.request import ChatRequest
from proxy.api.pieces import pieces
from proxy.chat.errors import ServiceError
from proxy.chat.extras import CALL_SIGNATURE, Extras
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Citation, Message, ToolCall

DONE = b"data: [DONE]\n\n"
FINGERPRINT = "fp_freeaichat"  # of whole answers: some clients have no model without one


def event(value: Any) -> bytes:
    """*value* as one server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def failure(error: ServiceError) -> bytes:
    """The event for an *error* after the headers were sent. No end mark follows it."""
    return event(error.body)


def usage(used: Usage) -> dict[str, Any]:
    """OpenAI's usage object. Counts are estimates where the upstream reports none, as sites do not."""
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def annotations(sources: Sequence[Citation]) -> list[dict[str, Any]]:
    """*sources* as OpenAI's `url_citation` annotations."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": source.url,
                "title": source.title,
                "start_index": source.start,
                "end_index": source.end,
            },
        }
        for source in sources
    ]


class ChatReply:
    """Builds the objects of the answers to *chat*; all chunks share id, time and model, and hold an answer's number."""

    def __init__(
        self, chat: ChatRequest, *, id: str, created: int, model: str, conversation_id: str | None = None
    ) -> None:
        self._extra: dict[str, Any] = {"conversation_id": conversation_id} if conversation_id else {}
        self._chat = chat
        self._calls = [0] * chat.choices  # how many each answer has
        self._base = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}

    def opening(self) -> bytes:
        """The first chunk of each answer: its role, once."""
        role, begun = {"role": "assistant", "content": "", "refusal": None}, b""
        for index in range(self._chat.choices):
            begun += self._chunk(index, role, None, first=True)
        return begun

    def text_of(self, answer: int) -> Callable[[str], bytes]:
        """Return the function that makes a chunk of a piece of that answer's text."""
        # Only the text differs from one text chunk to the next: the hot path encodes nothing else.
        before, _, after = self._chunk(answer, {"content": ""}, None).rpartition(b'""')
        dumps = orjson.dumps

        def chunk(text: str) -> bytes:
            return b"".join((before, dumps(text), after))

        return chunk

    def call(self, answer: int, call: ToolCall) -> bytes:
        """The chunks of a call in that answer: first its name, then its arguments."""
        if self._chat.uses_functions and self._calls[answer]:
            return b""  # the first is all that such a message has room for
        call = self._as_client_expects(call)
        deltas = (
            _function_call_deltas(call) if self._chat.uses_functions else _tool_call_deltas(call, self._calls[answer])
        )
        self._calls[answer] += 1
        return b"".join(self._chunk(answer, delta, None) for delta in deltas)

    def text_with_extras(self, answer: int, extras: Extras) -> bytes:
        """The chunk of a text of that answer with what was told beside it."""
        text = {"content": extras.text} if extras.text else {}
        return self._chunk(answer, {**extras.thoughts, **text}, None, logprobs=extras.logprobs)

    def keepalive(self) -> bytes:
        """A chunk that adds nothing, for clients whose idle timer counts chunks only."""
        return self._chunk(0, {"content": ""}, None)

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The last chunks of whole answers, the usage in one of its own where it was asked for, and the end mark."""
        last = b""
        for index, end in enumerate(ends):
            last += self._finish(index, end)
        if self._chat.include_usage:
            last += event({**self._base, **self._extra, "choices": [], "usage": usage(used)})
        return last + DONE

    def failure(self, error: ServiceError) -> bytes:
        """The event in place of the rest."""
        return failure(error)

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The answers in one piece."""
        choices = [self._choice(*each) for each in zip(count(), answers, ends)]
        return {
            **self._base,
            "object": "chat.completion",
            "choices": choices,
            "usage": usage(used),
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
            **self._extra,
        }

    def _finish(self, index: int, end: End) -> bytes:
        extras: dict[str, Any] = {}
        if end.refusal is not None:
            extras["refusal"] = end.refusal
        if end.sources:
            extras["annotations"] = annotations(end.sources)
        return (self._chunk(index, extras, None) if extras else b"") + self._chunk(index, {}, self._reason(end))

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        finish_reason: str | None,
        *,
        first: bool = False,
        logprobs: Mapping[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._base, "choices": [choice]}
        if self._chat.include_usage:
            chunk["usage"] = None
        if first or finish_reason:
            chunk.update(self._extra)
        return event(chunk)

    def _choice(self, index: int, answer: Message, end: End) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": answer.text or (None if answer.calls else ""),
            "refusal": end.refusal,
            "annotations": annotations(end.sources),
        }
        if answer.calls and self._chat.uses_functions:
            message["function_call"] = {"name": answer.calls[0].name, "arguments": answer.calls[0].arguments}
        elif answer.calls:
            message["tool_calls"] = [_whole_call(self._as_client_expects(call)) for call in answer.calls]
        extras = end.extras or Extras()
        message |= extras.thoughts
        return {"index": index, "message": message, "logprobs": extras.logprobs, "finish_reason": self._reason(end)}

    def _as_client_expects(self, call: ToolCall) -> ToolCall:
        return replace(call, kind="function") if self._chat.custom_as_functions else call

    def _reason(self, end: End) -> str:
        return "function_call" if self._chat.uses_functions and end.reason == "tool_calls" else end.reason


def _whole_call(call: ToolCall) -> dict[str, Any]:
    field = "input" if call.kind == "custom" else "arguments"
    fields = {"id": call.id, "type": call.kind, call.kind: {"name": call.name, field: call.arguments}}
    signature = json.loads(call.signed).get(CALL_SIGNATURE) if call.signed else None
    return {**fields, CALL_SIGNATURE: signature} if signature else fields


def _tool_call_deltas(call: ToolCall, index: int) -> Iterator[dict[str, Any]]:
    field = "input" if call.kind == "custom" else "arguments"
    yield {"tool_calls": [{"index": index, **_whole_call(replace(call, arguments=""))}]}
    for piece in pieces(call.arguments):
        yield {"tool_calls": [{"index": index, call.kind: {field: piece}}]}


def _function_call_deltas(call: ToolCall) -> Iterator[dict[str, Any]]:
    yield {"function_call": {"name": call.name, "arguments": ""}}
    for piece in pieces(call.arguments):
        yield {"function_call": {"arguments": piece}}
