"""The legacy `/v1/completions`: a prompt in, bare text out. Served by the same turns as a chat."""

from collections.abc import Mapping
from typing import Any

from proxy.protocol.chat_reply import DONE, Ending, event
from proxy.protocol.errors import bad_request


def to_chat_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat request that a completions request amounts to. Raises `ServiceError` (400)."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise bad_request(
            "'prompt' must be one string; token ids and several prompts are not supported.", param="prompt"
        )
    for name in ("suffix", "echo", "best_of"):
        if body.get(name) not in (None, False, "", 1):
            raise bad_request(f"'{name}' is not supported.", param=name, code="unsupported_parameter")
    passed = {name: value for name, value in body.items() if name not in {"prompt", "logprobs"}}
    return {**passed, "messages": [{"role": "user", "content": prompt}]}


class CompletionReply:
    """Builds one answer's objects in the legacy shape; all chunks share id, time and model."""

    def __init__(self, *, id: str, created: int, model: str, include_usage: bool = False) -> None:
        self._base = {"id": id, "object": "text_completion", "created": created, "model": model}
        self.includes_usage = include_usage

    def opening(self) -> bytes:
        """Nothing: there is no role."""
        return b""

    def text(self, text: str) -> bytes:
        """One chunk of text."""
        return self._chunk(text, None)

    def silence(self) -> bytes:
        """A chunk that adds nothing."""
        return self.text("")

    def closing(self, ending: Ending, used: dict[str, Any] | None) -> bytes:
        """The last chunks of a whole answer, and the end mark."""
        last = self._chunk("", ending.finish_reason)
        if used is not None:
            last += event({**self._base, "choices": [], "usage": used})
        return last + DONE

    def whole(self, text: str, ending: Ending, used: dict[str, Any]) -> dict[str, Any]:
        """The answer in one piece."""
        return {**self._base, "choices": [self._choice(text, ending.finish_reason)], "usage": used}

    def _chunk(self, text: str, finish_reason: str | None) -> bytes:
        chunk: dict[str, Any] = {**self._base, "choices": [self._choice(text, finish_reason)]}
        if self.includes_usage:
            chunk["usage"] = None
        return event(chunk)

    def _choice(self, text: str, finish_reason: str | None) -> dict[str, Any]:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
