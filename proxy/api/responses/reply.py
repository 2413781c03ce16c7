"""OpenAI's response objects, and the typed, numbered events they are streamed as."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import orjson

from proxy.api.conversations.items import call_item, call_items
from proxy.api.opaque import encode_signature, encode_thought
from proxy.api.responses.call_events import begun, pieces
from proxy.api.responses.objects import blank, content, logprobs_of, reasoning_item, reasoning_part, text_part, usage
from proxy.api.responses.request import ResponseRequest
from proxy.chat.errors import ServiceError
from proxy.chat.extras import Extras
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Message, ToolCall

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}  # by finish_reason
_NO_CALLS = ("message", "reasoning")
# How thoughts are told: the names of their part, of their text, and of the place of the part.
_AS_THEY_ARE = ("content_part", "reasoning_text", "content_index")
_AS_SUMMARY = ("reasoning_summary_part", "reasoning_summary_text", "summary_index")  # all that some clients show


class ResponseReply:
    """Builds one response: the object in its states, and the events that tell of them.

    *completed_at* is set (Unix seconds) once the answer is whole.
    """

    def __init__(self, request: ResponseRequest, *, id: str, message_id: str, created: int, model: str) -> None:
        self.completed_at: int | None = None
        self.is_stored = request.store
        self._user_items, self._streams = request.user_items or (), request.stream
        self._message_id = message_id
        self._as_summary = request.reasoning_summary is not None  # how thoughts are shown
        self._encrypts_reasoning = request.encrypts_reasoning
        self._base = blank(request, id=id, created=created, model=model)
        self._texts: list[str] = []
        self._logprobs: list[Mapping[str, Any]] = []
        self._is_message_open = False
        self._status = "in_progress"  # of the message
        self._thoughts: list[str] = []  # of the reasoning item that is open; empty: none is
        self._late_thoughts: list[str] = []  # came amid the message, and follow it: one item at a time is open
        self._done_items: list[dict[str, Any]] = []
        self._numbers = count(2)  # of the events; the opening has two
        self._place: dict[str, Any] = {}  # fields of the events of the open item: its id and index, and its part's
        self._closed_place: dict[str, Any] | None = None  # of the text, once the message is whole
        self._delta_start = b""  # of a text event, up to its number

    def opening(self) -> bytes:
        """The events before the first item; they come first, whenever they are made."""
        begun = _event("response.created", 0, response=self._base)
        return begun + _event("response.in_progress", 1, response=self._base)

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """What makes a delta of a text."""
        return self._delta

    def call(self, _: int, call: ToolCall) -> bytes:
        """The events of a call; the message is whole before it begins."""
        events = self._close_message(End()) if self._is_message_open else self._stop_thinking()
        if call.signed:
            events += self._begin_item(self._reasoning("")) + self._end_item(
                self._reasoning("", encode_signature(call))
            )
        item = call_item(call, self._message_id, sum(each["type"] not in _NO_CALLS for each in self._done_items))
        events += self._begin_item(begun(item))
        for kind, fields in pieces(item, len(self._done_items)):
            events += self._event(f"response.{kind}", **fields)
        return events + self._end_item(item)

    def text_with_extras(self, _: int, extras: Extras) -> bytes:
        """The events of thoughts, and of a text with its log probabilities."""
        events = self._think(extras.reasoning_text) if extras.reasoning_text else b""
        if not (logprobs := logprobs_of(extras)):
            return events + self._delta(extras.text) if extras.text else events
        begun = events if self._is_message_open else events + self._open_message()
        self._texts.append(extras.text)
        self._logprobs += logprobs
        return begun + self._event("response.output_text.delta", **self._place, delta=extras.text, logprobs=logprobs)

    def keepalive(self) -> bytes:
        """An event that adds nothing, for clients whose idle timer counts events only."""
        return self._delta("") if self._is_message_open else self._event("response.in_progress", response=self._base)

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The events that end a whole answer."""
        end = ends[0]
        last = b""
        if not self._is_message_open and all(item["type"] == "reasoning" for item in self._done_items):
            last = self._open_message() if end.refusal is None else self._refuse(end, end.refusal)
        if self._is_message_open:
            last += self._close_message(end)
        elif self._closed_place is not None:  # a call came before them
            last += self._annotate(self._closed_place, text_part("", end.sources, [])["annotations"])
        done = self._whole(self._output(end, self._logprobs), end, used)
        return last + self._event(f"response.{done['status']}", response=done)

    def failure(self, error: ServiceError) -> bytes:
        """The events in place of the rest of an answer that broke off. The first tells it twice: as OpenAI documents
        it, and as its servers do, without which its SDKs raise nothing."""
        fields = {"code": error.code or error.type, "message": error.message, "param": error.param}
        begun = self._event("error", **fields, error={"type": error.type, **fields})
        failed = {**self._base, "status": "failed", "error": {"code": "server_error", "message": error.message}}
        return begun + self._event("response.failed", response=failed)

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The finished response object."""
        answer, end = answers[0], ends[0]
        extras = end.extras or Extras()
        output: list[dict[str, Any]] = []
        if extras.reasoning_text:
            output.append(self._reasoning(extras.reasoning_text))
        if answer.text or not answer.calls:
            status = _status(End() if answer.calls else end)  # before a call it was whole
            output.append(self._message(status, content(answer.text, end, logprobs_of(extras))))
        for call, item in zip(answer.calls, call_items(answer), strict=True):
            if call.signed:
                output.append(reasoning_item(self._message_id, _thoughts_in(output), "", encode_signature(call)))
            output.append(item)
        return self._whole(output, end, used)

    def stored(self, answer: Message, end: End, used: Usage) -> dict[str, Any]:
        """The finished response object, as the client gets it but for log probabilities, which are large; also before
        the last events of a stream are made."""
        if self._streams:
            return self._whole(self._output(end, ()), end, used)
        extras = replace(end.extras, logprobs=None) if end.extras else None
        return self.whole([answer], [replace(end, extras=extras)], used)

    def _output(self, end: End, logprobs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The items of a stream that ends so, also of those that its last events are still to tell."""
        items = list(self._done_items)
        if self._thoughts:
            items.append(self._reasoning("".join(self._thoughts)))
        status = self._status
        if self._is_message_open or all(item["type"] == "reasoning" for item in items):
            status = _status(end)
            items.append(self._message(status, []))
        if self._late_thoughts:
            items.append(self._reasoning("".join(self._late_thoughts)))
        message = self._message(status, content("".join(self._texts), end, logprobs))
        return [message if item["type"] == "message" else item for item in items]

    def _whole(self, output: Sequence[Mapping[str, Any]], end: End, used: Usage) -> dict[str, Any]:
        reason, status = _INCOMPLETE.get(end.reason), _status(end)
        return {
            **self._base,
            "status": status,
            "completed_at": self.completed_at if status == "completed" else None,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": output,
            "store": self.is_stored,
            "usage": usage(used),
        }

    def _open_message(self) -> bytes:
        ended = self._stop_thinking()
        self._is_message_open = True
        self._place = {"item_id": self._message_id, "output_index": len(self._done_items), "content_index": 0}
        # Only the number and the text differ from one text event to the next: the hot path encodes nothing else.
        start = orjson.dumps({"type": "response.output_text.delta", **self._place, "logprobs": []})
        self._delta_start = b"event: response.output_text.delta\n" + b"data: " + start[:-1] + b',"sequence_number":'
        added = self._begin_item(self._message("in_progress", []))
        return ended + added + self._event("response.content_part.added", **self._place, part=text_part("", [], []))

    def _close_message(self, end: End) -> bytes:
        """The events that end the message."""
        self._is_message_open, self._status = False, _status(end)
        text, place = "".join(self._texts), self._place
        self._closed_place = place
        part = text_part(text, end.sources, self._logprobs)
        events = [self._annotate(place, part["annotations"])]
        events.append(self._event("response.output_text.done", **place, text=text, logprobs=self._logprobs))
        events.append(self._event("response.content_part.done", **place, part=part))
        if end.refusal is not None:
            events.append(self._refusal_events({**place, "content_index": 1}, end.refusal))
        item = self._message(self._status, content(text, end, self._logprobs))
        events.append(self._end_item(item))
        late, self._late_thoughts = "".join(self._late_thoughts), []
        if late:
            events.append(self._think(late))
            events.append(self._stop_thinking())
        return b"".join(events)

    def _annotate(self, place: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]]) -> bytes:
        kind = "response.output_text.annotation.added"
        told = enumerate(annotations)
        return b"".join(self._event(kind, **place, annotation_index=index, annotation=each) for index, each in told)

    def _delta(self, text: str) -> bytes:
        begun = b"" if self._is_message_open else self._open_message()
        self._texts.append(text)
        number = str(next(self._numbers)).encode()
        return b"".join((begun, self._delta_start, number, b',"delta":', orjson.dumps(text), b"}\n\n"))

    def _think(self, thought: str) -> bytes:
        if self._is_message_open:
            self._late_thoughts.append(thought)
            return b""
        begun = b""
        part, kind, index = _AS_SUMMARY if self._as_summary else _AS_THEY_ARE
        if not self._thoughts:
            item = self._reasoning("")
            self._place = {"item_id": item["id"], "output_index": len(self._done_items), index: 0}
            begun = self._begin_item(item)
            begun += self._event(f"response.{part}.added", **self._place, part=self._part(""))
        self._thoughts.append(thought)
        return begun + self._event(f"response.{kind}.delta", **self._place, delta=thought)

    def _stop_thinking(self) -> bytes:
        """The events that end the reasoning item, if one is open."""
        if not self._thoughts:
            return b""
        text, place = "".join(self._thoughts), self._place
        self._thoughts = []
        part, kind, _ = _AS_SUMMARY if self._as_summary else _AS_THEY_ARE
        events = self._event(f"response.{kind}.done", **place, text=text)
        events += self._event(f"response.{part}.done", **place, part=self._part(text))
        return events + self._end_item(self._reasoning(text))

    def _part(self, text: str) -> dict[str, Any]:
        return reasoning_part(text, as_summary=self._as_summary)

    def _reasoning(self, text: str, signed: str = "") -> dict[str, Any]:
        if text and self._encrypts_reasoning:
            signed = encode_thought(text)
        number = _thoughts_in(self._done_items)
        return reasoning_item(self._message_id, number, text, signed, as_summary=self._as_summary)

    def _message(self, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._message_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def _refuse(self, end: End, refusal: str) -> bytes:
        """The events of a message that holds nothing but *refusal*."""
        self._status = _status(end)
        begun = self._stop_thinking()
        place = {"item_id": self._message_id, "output_index": len(self._done_items), "content_index": 0}
        begun += self._begin_item(self._message("in_progress", [])) + self._refusal_events(place, refusal)
        return begun + self._end_item(self._message(self._status, content("", end, [])))

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

    def _begin_item(self, item: Mapping[str, Any]) -> bytes:
        return self._event("response.output_item.added", output_index=len(self._done_items), item=item)

    def _end_item(self, item: dict[str, Any]) -> bytes:
        ended = self._event("response.output_item.done", output_index=len(self._done_items), item=item)
        self._done_items.append(item)
        return ended

    def _event(self, kind: str, **fields: Any) -> bytes:
        return _event(kind, next(self._numbers), **fields)


def _event(kind: str, number: int, **fields: Any) -> bytes:
    data = orjson.dumps({"type": kind, "sequence_number": number, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def _thoughts_in(items: Sequence[Mapping[str, Any]]) -> int:
    return sum(item["type"] == "reasoning" for item in items)


def _status(end: End) -> str:
    return "incomplete" if end.reason in _INCOMPLETE else "completed"
