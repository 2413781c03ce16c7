"""OpenAI's response objects, and the typed, numbered events they are streamed as."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import orjson

from proxy.api.chat_completions.reply import annotations
from proxy.api.responses.request import ResponseRequest
from proxy.chat.errors import ServiceError
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End, Source

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
        self._texts: list[str] = []
        self._numbers = count()
        place = {"item_id": message_id, "output_index": 0, "content_index": 0}
        start = orjson.dumps({"type": "response.output_text.delta", **place, "logprobs": []})
        self._before = b"event: response.output_text.delta\n" + b"data: " + start[:-1] + b',"sequence_number":'

    def opening(self) -> bytes:
        """The events up to the first text."""
        begun = {"item_id": self._message_id, "output_index": 0, "content_index": 0}
        return b"".join(
            (
                self._event("response.created", response=self._base),
                self._event("response.in_progress", response=self._base),
                self._event("response.output_item.added", output_index=0, item=self._message("in_progress", [])),
                self._event("response.content_part.added", **begun, part=_text_part("", [])),
            )
        )

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """What makes a delta of a text."""
        return self._delta

    def silence(self) -> bytes:
        """An event that adds nothing, for clients whose idle timer counts events only."""
        return self._delta("")

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The events that end a whole answer."""
        end, text = ends[0], "".join(self._texts)
        done = self.whole([text], ends, used)
        place = {"item_id": self._message_id, "output_index": 0, "content_index": 0}
        part = _text_part(text, end.sources)
        events = [
            self._event("response.output_text.annotation.added", **place, annotation_index=index, annotation=annotation)
            for index, annotation in enumerate(part["annotations"])
        ]
        events.append(self._event("response.output_text.done", **place, text=text, logprobs=[]))
        events.append(self._event("response.content_part.done", **place, part=part))
        if end.refusal is not None:
            events.append(self._refusal_events({**place, "content_index": 1}, end.refusal))
        events.append(self._event("response.output_item.done", output_index=0, item=done["output"][0]))
        events.append(self._event(f"response.{done['status']}", response=done))
        return b"".join(events)

    def failure(self, error: ServiceError) -> bytes:
        """The events in place of the rest of an answer that broke off."""
        told = {"code": error.code or error.type, "message": error.message}
        failed = {**self._base, "status": "failed", "error": {"code": "server_error", "message": error.message}}
        return self._event("error", **told, param=error.param) + self._event("response.failed", response=failed)

    def whole(self, texts: Sequence[str], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The finished response object."""
        end = ends[0]
        reason = _INCOMPLETE.get(end.reason)
        status = "incomplete" if reason else "completed"
        content = [_text_part(texts[0], end.sources)]
        if end.refusal is not None:
            content.append({"type": "refusal", "refusal": end.refusal})
        return {
            **self._base,
            "status": status,
            "completed_at": self.completed_at if status == "completed" else None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [self._message(status, content)],
            "store": self.is_stored,
            "usage": _usage(used),
        }

    def _delta(self, text: str) -> bytes:
        self._texts.append(text)
        number = str(next(self._numbers)).encode()
        return b"".join((self._before, number, b',"delta":', orjson.dumps(text), b"}\n\n"))

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


def _text_part(text: str, sources: Sequence[Source]) -> dict[str, Any]:
    """The text of a message; chat's annotations are nested one level deeper than these."""
    flat = [{"type": each["type"], **each[each["type"]]} for each in annotations(sources)]
    return {"type": "output_text", "text": text, "annotations": flat, "logprobs": []}


def _usage(used: Usage) -> dict[str, Any]:
    return {
        "input_tokens": used.asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": used.answered,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.total,
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
