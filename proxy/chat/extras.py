"""What a server tells beside the text of an answer, in the words of chat completions: thoughts and log probabilities.

Only servers tell any: on the way of a site's text nothing of it lies.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.chat.tools.schema import too_deep

THOUGHTS = ("reasoning_content", "reasoning")  # the names under which servers tell what a model thinks
DETAILS = "reasoning_details"  # the same in parts, some of them signed or encrypted, as OpenRouter tells them
WITH_CALL = "extra_content"  # what Google's servers sign of a call, in which only they read
_SIGNED = ("signature", "data")  # fields of a part that tell more than its text
_IN_PIECES = ("text", "summary")  # fields of such a part


def signed(told: Mapping[str, Any]) -> str:
    """What *told* holds that a server wants back with a call as it was, as JSON; empty: nothing.

    Without it some refuse what a call gave. It may stand with the call, or in `DETAILS` of its message; and of thoughts
    that no client was shown the text does too.
    """
    found = read_thoughts(told)
    if not any(isinstance(part, dict) and any(map(part.get, _SIGNED)) for part in found.get(DETAILS, ())):
        found.pop(DETAILS, None)
    extra = told.get(WITH_CALL)
    if isinstance(extra, dict) and extra:
        found[WITH_CALL] = extra
    return json.dumps(found) if found and not too_deep(found) else ""


@dataclass(frozen=True, slots=True)
class Extra:
    """What came in one piece: thoughts by their names (a text, or the parts of `DETAILS`), and the log probabilities of
    *text*."""

    text: str = ""
    thoughts: Mapping[str, Any] = field(default_factory=dict)
    logprobs: Mapping[str, Any] | None = None

    @property
    def thought(self) -> str:
        """The text of the thoughts; servers that tell it by several names tell the same again."""
        return next((self.thoughts[name] for name in THOUGHTS if name in self.thoughts), "")


def read_thoughts(told: Mapping[str, Any]) -> dict[str, Any]:
    """The thoughts in a message, or in a piece of one."""
    thoughts: dict[str, Any] = {name: value for name in THOUGHTS if isinstance(value := told.get(name), str) and value}
    if isinstance(details := told.get(DETAILS), list) and details:
        thoughts[DETAILS] = details
    return thoughts


def read_extra(delta: Mapping[str, Any], logprobs: Any, text: str) -> Extra | None:
    """What a chunk, or a whole answer, tells beside *text*; None: nothing."""
    thoughts = read_thoughts(delta)
    if details := thoughts.pop(DETAILS, None):
        parts = [part for part in details if isinstance(part, dict) and not too_deep(part)]
        thoughts |= {DETAILS: parts} if parts else {}
    told = logprobs if isinstance(logprobs, dict) and logprobs and not too_deep(logprobs) else None
    return Extra(text, thoughts, told) if thoughts or told else None


class Extras:
    """All that came beside one answer, put together for an answer that is told in one piece."""

    def __init__(self) -> None:
        self._thoughts: dict[str, list[Any]] = {}
        self._logprobs: dict[str, list[Any]] = {}

    def add(self, extra: Extra) -> None:
        """Keep what came next."""
        for name, piece in extra.thoughts.items():
            self._thoughts.setdefault(name, []).append(piece)
        for name, tokens in (extra.logprobs or {}).items():
            if isinstance(tokens, list):
                self._logprobs.setdefault(name, []).extend(tokens)

    def whole(self) -> Extra | None:
        """All of it; None: there is none."""
        if not self._thoughts and not self._logprobs:
            return None
        thoughts = {
            name: _joined(pieces) if name == DETAILS else "".join(pieces) for name, pieces in self._thoughts.items()
        }
        logprobs = {"content": None, "refusal": None, **self._logprobs} if self._logprobs else None
        return Extra("", thoughts, logprobs)


def _joined(pieces: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The parts that came in *pieces*. The first of a piece may go on with the last of the piece before it."""
    found: list[tuple[dict[str, Any], dict[str, list[str]]]] = []  # each part, and those of its texts that grow
    for piece in pieces:
        for number, part in enumerate(piece):
            if number or not found or not _goes_on(found[-1][0], part):
                found.append(({}, {}))
            whole, texts = found[-1]
            for name, value in part.items():
                if name in _IN_PIECES and isinstance(value, str):
                    texts.setdefault(name, []).append(value)
                    whole.setdefault(name, "")  # its place
                elif value is not None or name not in whole:
                    whole[name] = value
    return [{**whole, **{name: "".join(told) for name, told in texts.items()}} for whole, texts in found]


def _goes_on(part: Mapping[str, Any], piece: Mapping[str, Any]) -> bool:
    """Whether *piece* is more of *part*. Servers give parts of two types the same index; encrypted ones come whole."""
    if "data" in part or any(part.get(name) != piece.get(name) for name in ("type", "index")):
        return False
    own, other = part.get("id"), piece.get("id")
    return own is None or other is None or own == other
