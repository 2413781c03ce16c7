"""The legacy `/v1/completions`: a prompt in, bare text out. Served by the same turns as a chat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from proxy.api.chat_completions.reply import DONE, event, failure, usage
from proxy.api.chat_completions.request import ChatRequest
from proxy.api.parameters import check_number
from proxy.api.responses.objects import logprobs_of
from proxy.api.tools import unsupported
from proxy.chat.ask import Ask
from proxy.chat.errors import ServiceError, bad_request
from proxy.chat.extras import Extras
from proxy.chat.tokens import Usage
from proxy.chat.upstream import End
from shared.conversations import Message, ToolCall

_HARMLESS = {"echo": False, "best_of": 1, "n": 1}  # with these values they ask for nothing
_NEVER = ("tools", "functions", "tool_choice", "function_call", "parallel_tool_calls", "response_format")  # a chat's
LOGPROBS = (0, 5)
_TOP = "top_logprobs"  # of a chat: here `logprobs` is their number, there a yes or no


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
        if value is not None and (isinstance(value, bool) != isinstance(harmless, bool) or value != harmless):
            raise bad_request(f"'{name}' is not supported.", param=name, code="unsupported_parameter")
    for name in _NEVER:
        if body.get(name):
            raise unsupported(name, "it is for chats.")
    left_out = {"prompt", *_NEVER}
    passed = {name: value for name, value in body.items() if name not in left_out and (name, value) != ("suffix", "")}
    logprobs = body.get("logprobs")
    if logprobs is not None and not isinstance(logprobs, bool):
        check_number(logprobs, "logprobs", LOGPROBS, whole=True)
        passed |= {"logprobs": True, _TOP: int(logprobs)}
    return {**passed, "messages": [{"role": "user", "content": prompt}]}


def bare(ask: Ask) -> Ask:
    """*ask* without what bare text has no place for. What the client does not call so is not named to it as ignored."""
    parameters = {name: value for name, value in ask.parameters.items() if name != _TOP}
    most, is_told = ask.parameters.get(_TOP), bool(parameters.get("logprobs"))
    return replace(
        ask, parameters=parameters, extra_parameters={_TOP: most} if most and is_told else {}, wants_extras=is_told
    )


class CompletionReply:
    """Builds the objects of the answer to *chat* in the legacy shape; all chunks share id, time and model."""

    def __init__(self, chat: ChatRequest, *, id: str, created: int, model: str) -> None:
        self._base = {"id": id, "object": "text_completion", "created": created, "model": model}
        self._includes_usage = chat.include_usage
        self._offset = 0  # in the text, of the next token whose probability is told

    def opening(self) -> bytes:
        """Nothing: there is no role."""
        return b""

    def text_of(self, _: int) -> Callable[[str], bytes]:
        """Return the function that makes a chunk of a piece of text."""
        return lambda text: self._chunk(text, None)

    def call(self, _: int, __: ToolCall) -> bytes:
        """Nothing: a prompt offers no tools."""
        return b""

    def text_with_extras(self, _: int, extras: Extras) -> bytes:
        """The chunk of a text with its log probabilities; of thoughts this API knows nothing."""
        logprobs = _logprobs(extras, self._offset)
        self._offset += sum(map(len, logprobs["tokens"])) if logprobs else 0
        return self._chunk(extras.text, None, logprobs) if extras.text or logprobs else b""

    def keepalive(self) -> bytes:
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
        logprobs = _logprobs(ends[0].extras or Extras(), 0)
        return {**self._base, "choices": [_choice(answers[0].text, ends[0].reason, logprobs)], "usage": usage(used)}

    def _chunk(self, text: str, finish_reason: str | None, logprobs: Mapping[str, Any] | None = None) -> bytes:
        chunk: dict[str, Any] = {**self._base, "choices": [_choice(text, finish_reason, logprobs)]}
        if self._includes_usage:
            chunk["usage"] = None
        return event(chunk)


def _choice(text: str, finish_reason: str | None, logprobs: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}


def _logprobs(extras: Extras, offset: int) -> dict[str, Any] | None:
    """A chat's log probabilities in the legacy shape; the first token is at *offset* in the text. None: none are told.

    Among the likeliest of a place there is always the one that was taken.
    """
    tokens_logprobs = logprobs_of(extras)
    if not tokens_logprobs:
        return None
    tokens = [each["token"] for each in tokens_logprobs]
    return {
        "tokens": tokens,
        "token_logprobs": [each["logprob"] for each in tokens_logprobs],
        "top_logprobs": [{one["token"]: one["logprob"] for one in (*each[_TOP], each)} for each in tokens_logprobs],
        "text_offset": list(accumulate(map(len, tokens[:-1]), initial=offset)),
    }
