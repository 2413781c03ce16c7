"""OpenAI's response objects, and the typed, numbered events they are streamed as."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import orjson

from proxy.api.chat_completions.reply import annotations
from proxy.api.conversations.items import call_item, call_items
from proxy.api.responses.request import ResponseRequest
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extra
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End, Source
from shared.conversations import Call, Message

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}  # by finish_reason


class ResponseReply:
    """Builds one response: the object in its states, and the events that tell of them.

    *completed_at* is set (Unix seconds) once the answer is whole.
    """

    def __init__(self, request: ResponseRequest, *, id: str, message_id: str, created: int, model: str) -> None:
        self.completed_at: int | None = None
        self.is_stored = request.store
        self._message_id = message_id
        self._base = _blank(request, id=id, created=created, model=model)
        self._may_call = request.offer is not None
        self._texts: list[str] = []
        self._is_open = False  # the message item is
        self._done: list[dict[str, Any]] = []  # items
        self._numbers = count()
        self._place = {"item_id": message_id, "output_index": 0, "content_index": 0}
        start = orjson.dumps({"type": "response.output_text.delta", **self._place, "logprobs": []})
        self._before = b"event: response.output_text.delta\n" + b"data: " + start[:-1] + b',"sequence_number":'

    def opening(self) -> bytes:
        """The events up to the first text; of an answer that may be calls alone, up to whatever comes first."""
        begun = self._event("response.created", response=self._base)
        begun += self._event("response.in_progress", response=self._base)
        return begun if self._may_call else begun + self._open()

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """What makes a delta of a text."""
        return self._delta

    def call_of(self, _: int) -> Callable[[Call], bytes]:
        """What makes the events of a call."""
        return self._call

    def extra_of(self, _: int) -> Callable[[Extra], bytes]:
        """Nothing: this API shows text alone."""
        return lambda extra: b""

    def silence(self) -> bytes:
        """An event that adds nothing, for clients whose idle timer counts events only."""
        return self._delta("") if self._is_open else self._event("response.in_progress", response=self._base)

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The events that end a whole answer."""
        end, text = ends[0], "".join(self._texts)
        last = b"" if self._is_open or self._done else self._open()
        if self._is_open or last:
            last += self._close(end)
        calls = [item for item in self._done if item["type"] != "message"]
        done = self._whole(text, calls, end, used)
        return last + self._event(f"response.{done['status']}", response=done)

    def failure(self, error: ServiceError) -> bytes:
        """The events in place of the rest of an answer that broke off."""
        told = {"code": error.code or error.type, "message": error.message}
        failed = {**self._base, "status": "failed", "error": {"code": "server_error", "message": error.message}}
        return self._event("error", **told, param=error.param) + self._event("response.failed", response=failed)

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The finished response object."""
        return self._whole(answers[0].text, call_items(answers[0]), ends[0], used)

    def _whole(self, text: str, calls: Sequence[Mapping[str, Any]], end: End, used: Usage) -> dict[str, Any]:
        reason = _INCOMPLETE.get(end.reason)
        status = "incomplete" if reason else "completed"
        message = [self._message(status, _content(text, end))] if text or not calls else []
        return {
            **self._base,
            "status": status,
            "completed_at": self.completed_at if status == "completed" else None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [*message, *calls],
            "store": self.is_stored,
            "usage": _usage(used),
        }

    def _open(self) -> bytes:
        self._is_open = True
        added = self._event("response.output_item.added", output_index=0, item=self._message("in_progress", []))
        return added + self._event("response.content_part.added", **self._place, part=_text_part("", []))

    def _close(self, end: End) -> bytes:
        """The events that end the message."""
        self._is_open = False
        text, place = "".join(self._texts), self._place
        part = _text_part(text, end.sources)
        events = [
            self._event("response.output_text.annotation.added", **place, annotation_index=index, annotation=annotation)
            for index, annotation in enumerate(part["annotations"])
        ]
        events.append(self._event("response.output_text.done", **place, text=text, logprobs=[]))
        events.append(self._event("response.content_part.done", **place, part=part))
        if end.refusal is not None:
            events.append(self._refusal_events({**place, "content_index": 1}, end.refusal))
        item = self._message("incomplete" if end.reason in _INCOMPLETE else "completed", _content(text, end))
        self._done.append(item)
        events.append(self._event("response.output_item.done", output_index=0, item=item))
        return b"".join(events)

    def _delta(self, text: str) -> bytes:
        begun = b"" if self._is_open else self._open()
        self._texts.append(text)
        number = str(next(self._numbers)).encode()
        return b"".join((begun, self._before, number, b',"delta":', orjson.dumps(text), b"}\n\n"))

    def _call(self, call: Call) -> bytes:
        """The message is whole before a call begins."""
        events = self._close(End()) if self._is_open else b""
        index = len(self._done)
        item = call_item(call, self._message_id, sum(each["type"] != "message" for each in self._done))
        self._done.append(item)
        if call.kind == "tool_search":
            begun = {**item, "arguments": {}, "status": "in_progress"}
            events += self._event("response.output_item.added", output_index=index, item=begun)
            return events + self._event("response.output_item.done", output_index=index, item=item)
        is_custom = call.kind == "custom"
        field, kind = ("input", "custom_tool_call_input") if is_custom else ("arguments", "function_call_arguments")
        place = {"item_id": item["id"], "output_index": index}
        named = {} if is_custom else {"name": call.name}
        begun = {**item, field: "", "status": "in_progress"}
        events += self._event("response.output_item.added", output_index=index, item=begun)
        events += self._event(f"response.{kind}.delta", **place, delta=call.arguments)
        events += self._event(f"response.{kind}.done", **place, **named, **{field: call.arguments})
        return events + self._event("response.output_item.done", output_index=index, item=item)

    def _message(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._message_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def _refusal_events(self, place: Mapping[str, Any], refusal: str) -> bytes:
        part = {"type": "refusal", "refusal": refusal}
        return b"".join(
            (
                self._event("response.content_part.added", **place, part={**part, "refusal": ""}),
                self._event("response.refusal.delta", **place, delta=refusal),
                self._event("response.refusal.done", **place, refusal=refusal),
                self._event("response.content_part.done", **place, part=part),
            )
        )

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = orjson.dumps({"type": kind, "sequence_number": next(self._numbers), **fields})
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _content(text: str, end: End) -> list[dict[str, Any]]:
    content = [_text_part(text, end.sources)]
    if end.refusal is not None:
        content.append({"type": "refusal", "refusal": end.refusal})
    return content


def _text_part(text: str, sources: Sequence[Source]) -> dict[str, Any]:
    """The text of a message; chat's annotations are nested one level deeper than these."""
    flat = [{"type": each["type"], **each[each["type"]]} for each in annotations(sources)]
    return {"type": "output_text", "text": text, "annotations": flat, "logprobs": []}


def _usage(used: Usage) -> dict[str, Any]:
    return {
        "input_tokens": used.asked,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
        "output_tokens": used.answered,
        "output_tokens_details": {"reasoning_tokens": used.thought},
        "total_tokens": used.asked + used.answered,
    }


def _blank(request: ResponseRequest, *, id: str, created: int, model: str) -> dict[str, Any]:
    """The object before there is an answer. Clients need every key, most of them with a value."""
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "completed_at": None,
        "background": False,
        "conversation": {"id": request.conversation_id} if request.conversation_id else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_tokens,
        "max_tool_calls": None,
        "metadata": request.metadata,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": request.store,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        **request.echoed,
    }
