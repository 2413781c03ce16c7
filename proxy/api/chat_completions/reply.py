"""OpenAI's shapes for chat answers, whole and in chunks, and the event stream they travel in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from proxy.chat.errors import ServiceError
from proxy.chat.tokens import Usage
from shared.plugins.aipkit.answers import text_at

DONE = b"data: [DONE]\n\n"
KEEPALIVE_COMMENT = b": keep-alive\n\n"


def event(value: Any) -> bytes:
    """*value* as one server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def failure(error: ServiceError) -> bytes:
    """The event that tells of *error* once the headers are out. No end mark follows it."""
    return event(error.body)


def usage(used: Usage) -> dict[str, Any]:
    """OpenAI's usage object. The numbers are estimates: the site names none."""
    return {
        "prompt_tokens": used.asked,
        "completion_tokens": used.answered,
        "total_tokens": used.total,
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
                "title": text_at(citation, "title") or text_at(citation, "source_title"),
                "start_index": _index(citation.get("start_char_index")),
                "end_index": _index(citation.get("end_char_index")),
            },
        }
        for citation in citations
        if text_at(citation, "url")
    ]


def _index(value: object) -> int:
    return value if type(value) is int and abs(value) < 2**53 else 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, and what came with it."""

    finish_reason: str
    refusal: str | None
    annotations: list[dict[str, Any]]


class ChatReply:
    """Builds one answer's objects; all chunks share id, time and model. *index* tells several answers apart."""

    def __init__(
        self,
        *,
        id: str,
        created: int,
        model: str,
        conversation_id: str | None = None,
        include_usage: bool = False,
        index: int = 0,
    ) -> None:
        self._extra: dict[str, Any] = {"conversation_id": conversation_id} if conversation_id else {}
        self._includes_usage = include_usage
        self._index = index
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

    @property
    def around_text(self) -> tuple[bytes, bytes]:
        """What stands before and after the JSON string of a text in its chunk."""
        return self._before + b'"content":', self._after

    def silence(self) -> bytes:
        """A chunk that adds nothing, for clients whose idle timer counts chunks only."""
        return self.text("")

    def finish(self, ending: Ending) -> bytes:
        """The last chunks of the choice."""
        extras: dict[str, Any] = {}
        if ending.refusal is not None:
            extras["refusal"] = ending.refusal
        if ending.annotations:
            extras["annotations"] = ending.annotations
        return (self._chunk(extras, None) if extras else b"") + self._chunk({}, ending.finish_reason)

    def end(self, used: Usage) -> bytes:
        """What follows the last choice: the usage in a chunk of its own, where it was asked for, and the end mark."""
        if not self._includes_usage:
            return DONE
        return event({**self._base, **self._extra, "choices": [], "usage": usage(used)}) + DONE

    def closing(self, ending: Ending, used: Usage) -> bytes:
        """The last chunks of a whole answer, and the end mark."""
        return self.finish(ending) + self.end(used)

    def failure(self, error: ServiceError) -> bytes:
        """The event in place of the rest."""
        return failure(error)

    def choice(self, text: str, ending: Ending) -> dict[str, Any]:
        """The choice in one piece."""
        message = {
            "role": "assistant",
            "content": text,
            "refusal": ending.refusal,
            "annotations": ending.annotations,
        }
        return {"index": self._index, "message": message, "logprobs": None, "finish_reason": ending.finish_reason}

    def whole(self, texts: Sequence[str], ending: Ending, used: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        return self.completion([self.choice("".join(texts), ending)], used)

    def completion(self, choices: Sequence[dict[str, Any]], used: Usage) -> dict[str, Any]:
        """OpenAI's object around *choices*."""
        return {
            **self._base,
            "object": "chat.completion",
            "choices": list(choices),
            "usage": usage(used),
            "service_tier": "default",
            **self._extra,
        }

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None, *, first: bool = False) -> bytes:
        choice = {"index": self._index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._base, "choices": [choice]}
        if self._includes_usage:
            chunk["usage"] = None
        if first or finish_reason:
            chunk.update(self._extra)
        return event(chunk)
