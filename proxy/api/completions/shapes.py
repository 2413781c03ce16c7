"""The legacy `/v1/completions`: a prompt in, bare text out. Served by the same turns as a chat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxy.api.chat_completions.reply import DONE, event, failure, usage
from proxy.api.parameters import check_number
from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.extras import Extra
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Call, Message

_HARMLESS = {"echo": False, "best_of": 1, "n": 1}  # with these values they ask for nothing
_NEVER = ("tools", "functions", "tool_choice", "function_call", "parallel_tool_calls", "response_format")  # a chat's
LOGPROBS = (0, 5)
_BESIDE = ("logprobs", "top_logprobs")  # what is told beside the text of a chat


def to_chat_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat request that a completions request amounts to. Raises `ServiceError` (400)."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise bad_request(
            "'prompt' must be one string; token ids and several prompts are not supported.", param="prompt"
        )
    for name, harmless in _HARMLESS.items():
        value = body.get(name)
        if value is not None and (type(value) is not type(harmless) or value != harmless):
            raise bad_request(f"'{name}' is not supported.", param=name, code="unsupported_parameter")
    for name in _NEVER:
        if body.get(name):
            raise bad_request(f"'{name}' is not supported: it is for chats.", param=name, code="unsupported_parameter")
    left_out = {"prompt", *_NEVER}
    passed = {name: value for name, value in body.items() if name not in left_out and (name, value) != ("suffix", "")}
    logprobs = body.get("logprobs")
    if logprobs is not None and not isinstance(logprobs, bool):  # here it is a number, in a chat a yes or no
        check_number(logprobs, "logprobs", LOGPROBS, whole=True)
        passed["logprobs"] = True
    return {**passed, "messages": [{"role": "user", "content": prompt}]}


def bare(ask: Ask) -> Ask:
    """*ask* without what bare text has no place for."""
    parameters = {name: value for name, value in ask.parameters.items() if name not in _BESIDE}
    left_out = tuple(name for name in ask.parameters if name in _BESIDE)
    return replace(ask, parameters=parameters, ignored=(*left_out, *ask.ignored), extras={}, beside=False)


class CompletionReply:
    """Builds one answer's objects in the legacy shape; all chunks share id, time and model."""

    def __init__(self, *, id: str, created: int, model: str, include_usage: bool = False) -> None:
        self._base = {"id": id, "object": "text_completion", "created": created, "model": model}
        self._includes_usage = include_usage

    def opening(self) -> bytes:
        """Nothing: there is no role."""
        return b""

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """What makes a chunk of a text."""
        return lambda text: self._chunk(text, None)

    def call_of(self, _: int) -> Callable[[Call], bytes]:
        """Nothing: a prompt offers no tools."""
        return lambda call: b""

    def extra_of(self, _: int) -> Callable[[Extra], bytes]:
        """Nothing: this API shows text alone."""
        return lambda extra: b""

    def silence(self) -> bytes:
        """A chunk that adds nothing."""
        return self._chunk("", None)

    def closing(self, ends: Sequence[End], used: Usage) -> bytes:
        """The last chunks of a whole answer, and the end mark."""
        last = self._chunk("", ends[0].reason)
        if self._includes_usage:
            last += event({**self._base, "choices": [], "usage": usage(used)})
        return last + DONE

    def failure(self, error: ServiceError) -> bytes:
        """The event in place of the rest."""
        return failure(error)

    def whole(self, answers: Sequence[Message], ends: Sequence[End], used: Usage) -> dict[str, Any]:
        """The answer in one piece."""
        return {**self._base, "choices": [_choice(answers[0].text, ends[0].reason)], "usage": usage(used)}

    def _chunk(self, text: str, finish_reason: str | None) -> bytes:
        chunk: dict[str, Any] = {**self._base, "choices": [_choice(text, finish_reason)]}
        if self._includes_usage:
            chunk["usage"] = None
        return event(chunk)


def _choice(text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
