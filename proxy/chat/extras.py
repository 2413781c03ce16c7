"""What servers send beside the text of an answer, in the fields of chat completions: reasoning and log probabilities.

Sites send none of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.chat.nesting import is_too_deep

REASONING_TEXTS = ("reasoning_content", "reasoning")  # the fields in which servers send reasoning
THINKING = "thinking"  # the type of a content part that holds reasoning, as Mistral's servers send it
DETAILS = "reasoning_details"  # the same in parts, some of them signed or encrypted, as OpenRouter sends it
CALL_SIGNATURE = "extra_content"  # an opaque signature of a call, of Google's servers
_SIGNATURES = ("signature", "data")  # fields of a part
_STREAMED = ("text", "summary")  # fields that are streamed in chunks


def signed(message: Mapping[str, Any]) -> str:
    """The fields of *message* that a server needs back unchanged with a call, as JSON; "" for none.

    Some servers refuse a call without them. They are in the call or in `DETAILS` of its message; the
    reasoning text is needed too where no client was shown it.
    """
    kept = read_thoughts(message)
    if not any(isinstance(part, dict) and any(map(part.get, _SIGNATURES)) for part in kept.get(DETAILS, ())):
        kept.pop(DETAILS, None)
    signature = message.get(CALL_SIGNATURE)
    if isinstance(signature, dict) and signature:
        kept[CALL_SIGNATURE] = signature
    return json.dumps(kept) if kept and not is_too_deep(kept) else ""


@dataclass(frozen=True, slots=True)
class Extras:
    """The extras of one chunk: reasoning by field name (a text, or the parts of `DETAILS`), and the log
    probabilities of *text*."""

    text: str = ""
    thoughts: Mapping[str, Any] = field(default_factory=dict)
    logprobs: Mapping[str, Any] | None = None

    @property
    def reasoning_text(self) -> str:
        """The reasoning text; servers that send it under several names repeat it."""
        return next((self.thoughts[name] for name in REASONING_TEXTS if name in self.thoughts), "")


def read_thoughts(message: Mapping[str, Any]) -> dict[str, Any]:
    """The reasoning fields of a message, or of a delta."""
    thoughts: dict[str, Any] = {
        name: value for name in REASONING_TEXTS if isinstance(value := message.get(name), str) and value
    }
    if isinstance(details := message.get(DETAILS), list) and details:
        thoughts[DETAILS] = details
    return thoughts


def read_extras(delta: Mapping[str, Any], logprobs: Any, text: str) -> Extras | None:
    """The extras of a chunk, or of a whole answer, with their *text*; None if there are none."""
    thoughts = read_thoughts(delta)
    if details := thoughts.pop(DETAILS, None):
        parts = [part for part in details if isinstance(part, dict) and not is_too_deep(part)]
        thoughts |= {DETAILS: parts} if parts else {}
    token_logprobs = logprobs if isinstance(logprobs, dict) and logprobs and not is_too_deep(logprobs) else None
    return Extras(text, thoughts, token_logprobs) if thoughts or token_logprobs else None


class ExtrasJoiner:
    """Joins the extras of one answer, for responses that are not streamed."""

    def __init__(self) -> None:
        self._thoughts: dict[str, list[Any]] = {}
        self._logprobs: dict[str, list[Any]] = {}

    def add(self, extras: Extras) -> None:
        """Add the extras of the next chunk."""
        for name, value in extras.thoughts.items():
            self._thoughts.setdefault(name, []).append(value)
        for name, tokens in (extras.logprobs or {}).items():
            if isinstance(tokens, list):
                self._logprobs.setdefault(name, []).extend(tokens)

    def joined(self) -> Extras | None:
        """Return all of them joined; None if there are none."""
        if not self._thoughts and not self._logprobs:
            return None
        thoughts = {
            name: _join_parts(values) if name == DETAILS else "".join(values) for name, values in self._thoughts.items()
        }
        logprobs = {"content": None, "refusal": None, **self._logprobs} if self._logprobs else None
        return Extras("", thoughts, logprobs)


def _join_parts(chunks_of_parts: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Join the parts of all *chunks_of_parts*. The first part of a piece may continue the last one before it."""
    joined: list[tuple[dict[str, Any], dict[str, list[str]]]] = []  # each part, and the chunks of its texts
    for chunk in chunks_of_parts:
        for number, part in enumerate(chunk):
            if number or not joined or not _continues(joined[-1][0], part):
                joined.append(({}, {}))
            whole, texts = joined[-1]
            for name, value in part.items():
                if name in _STREAMED and isinstance(value, str):
                    texts.setdefault(name, []).append(value)
                    whole.setdefault(name, "")  # its place
                elif value is not None or name not in whole:
                    whole[name] = value
    return [{**whole, **{name: "".join(pieces) for name, pieces in texts.items()}} for whole, texts in joined]


def _continues(part: Mapping[str, Any], next_part: Mapping[str, Any]) -> bool:
    """Whether *next_part* continues *part*. Servers give parts of two types the same index; encrypted parts are
    never split."""
    if "data" in part or any(part.get(name) != next_part.get(name) for name in ("type", "index")):
        return False
    part_id, other_id = part.get("id"), next_part.get("id")
    return part_id is None or other_id is None or part_id == other_id
