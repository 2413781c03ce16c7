"""OpenAI's shapes for chat answers, whole and in chunks, and the event stream they travel in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

DONE = b"data: [DONE]\n\n"
KEEPALIVE_COMMENT = b": keep-alive\n\n"


def event(value: Any) -> bytes:
    """*value* as one server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """OpenAI's usage object. The numbers are estimates: the site names none."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def annotations(citations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The site's citations as OpenAI's `url_citation` annotations; those without an address are left out."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": citation["url"],
                "title": str(citation.get("title") or citation.get("source_title") or ""),
                "start_index": _index(citation.get("start_char_index")),
                "end_index": _index(citation.get("end_char_index")),
            },
        }
        for citation in citations
        if isinstance(citation.get("url"), str) and citation["url"]
    ]


def _index(value: object) -> int:
    return value if isinstance(value, int) else 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, and what came with it."""

    finish_reason: str
    refusal: str | None
    annotations: list[dict[str, Any]]


class ChatReply:
    """Builds one answer's objects; all chunks share id, time and model."""

    def __init__(
        self, *, id: str, created: int, model: str, conversation_id: str | None = None, include_usage: bool = False
    ) -> None:
        self._extra: dict[str, Any] = {"conversation_id": conversation_id} if conversation_id else {}
        self.includes_usage = include_usage
        self._base = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        # Everything of a text chunk but its text is the same each time: the hot path only encodes the text.
        empty = self._chunk({"content": ""}, None)
        self._before, _, self._after = empty.rpartition(b'"content":""')

    def opening(self) -> bytes:
        """The first chunk: the role, once."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None}, None, first=True)

    def text(self, text: str) -> bytes:
        """One chunk of text."""
        return self._before + b'"content":' + orjson.dumps(text) + self._after

    def silence(self) -> bytes:
        """A chunk that adds nothing, for clients whose idle timer counts chunks only."""
        return self.text("")

    def closing(self, ending: Ending, used: dict[str, Any] | None) -> bytes:
        """The last chunks of a whole answer, and the end mark. *used* comes as a chunk of its own, if given."""
        extras: dict[str, Any] = {}
        if ending.refusal is not None:
            extras["refusal"] = ending.refusal
        if ending.annotations:
            extras["annotations"] = ending.annotations
        last = (self._chunk(extras, None) if extras else b"") + self._chunk({}, ending.finish_reason)
        if used is not None:
            last += event({**self._base, **self._extra, "choices": [], "usage": used})
        return last + DONE

    def whole(self, text: str, ending: Ending, used: dict[str, Any]) -> dict[str, Any]:
        """The answer in one piece."""
        message = {
            "role": "assistant",
            "content": text,
            "refusal": ending.refusal,
            "annotations": ending.annotations,
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": ending.finish_reason}
        return {
            **self._base,
            "object": "chat.completion",
            "choices": [choice],
            "usage": used,
            "system_fingerprint": None,
            "service_tier": "default",
            **self._extra,
        }

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None, *, first: bool = False) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._base, "choices": [choice], "system_fingerprint": None}
        if self.includes_usage:
            chunk["usage"] = None
        if first or finish_reason:
            chunk.update(self._extra)
        return event(chunk)
