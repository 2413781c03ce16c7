"""What a server tells beside the text of an answer, in the words of chat completions: thoughts and log probabilities.

Only servers tell any: on the way of a site's text nothing of it lies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

THOUGHTS = ("reasoning_content", "reasoning")  # the names under which servers tell what a model thinks
NAMELESS = ""  # stands for the one that a server has, where a client sends thoughts back that have no such name


@dataclass(frozen=True, slots=True)
class Extra:
    """What came in one piece: thoughts by their names, and the log probabilities of *text*."""

    text: str = ""
    thoughts: Mapping[str, str] = field(default_factory=dict)
    logprobs: Mapping[str, Any] | None = None

    @property
    def thought(self) -> str:
        """The thoughts; servers that tell them by both names tell the same twice."""
        return next(iter(self.thoughts.values()), "")


def read_thoughts(told: Mapping[str, Any]) -> dict[str, str]:
    """The thoughts in a message, or in a piece of one."""
    return {name: value for name in THOUGHTS if isinstance(value := told.get(name), str) and value}


def read_extra(delta: Mapping[str, Any], logprobs: Any, text: str) -> Extra | None:
    """What a chunk, or a whole answer, tells beside *text*; None: nothing."""
    thoughts = read_thoughts(delta)
    told = logprobs if isinstance(logprobs, dict) and logprobs else None
    return Extra(text, thoughts, told) if thoughts or told else None


class Extras:
    """All that came beside one answer, put together for an answer that is told in one piece."""

    def __init__(self) -> None:
        self._thoughts: dict[str, list[str]] = {}
        self._logprobs: dict[str, list[Any]] = {}

    def add(self, extra: Extra) -> None:
        """Keep what came next."""
        for name, text in extra.thoughts.items():
            self._thoughts.setdefault(name, []).append(text)
        for name, tokens in (extra.logprobs or {}).items():
            if isinstance(tokens, list):
                self._logprobs.setdefault(name, []).extend(tokens)

    def whole(self) -> Extra | None:
        """All of it; None: there is none."""
        if not self._thoughts and not self._logprobs:
            return None
        thoughts = {name: "".join(texts) for name, texts in self._thoughts.items()}
        logprobs = {"content": None, "refusal": None, **self._logprobs} if self._logprobs else None
        return Extra("", thoughts, logprobs)
