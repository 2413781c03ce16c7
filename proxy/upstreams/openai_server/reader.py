"""Read one answer of a server: its chunks (`chat.completion.chunk`), or the whole of it in one object."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from proxy.chat.extras import DETAILS, REASONING_TEXTS, THINKING, Extras, ExtrasJoiner, read_extras
from proxy.chat.tokens import Usage
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.upstream import End, FinishReason, Refusal
from proxy.upstreams.openai_server.call_parts import CallParts
from proxy.upstreams.openai_server.citations import Sources
from proxy.upstreams.openai_server.refusals import cut_off, from_event, named_status, read_value
from proxy.upstreams.openai_server.template import Template
from shared.conversations import ToolCall
from shared.plugins.lenient_json import read_json

DONE = b"[DONE]"
MAX_EXTRAS = 64 * 1024**2  # bytes of the events that tell more than text
_THOUGHTS = frozenset({*REASONING_TEXTS, DETAILS})
_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral's
    "model_context_window_exceeded": "length",  # Z.ai's, and those with "sensitive"
    "content_filter": "content_filter",  # Google's say after a colon what was met
    "sensitive": "content_filter",
}
_FAILURES = frozenset(  # words for an answer that was given up
    {
        "error",
        "network_error",  # Z.ai's
        "insufficient_system_resource",  # DeepSeek's
        "function_call_filter",  # Google's, for a call that could not be read
        "abort",  # vLLM's
    }
)


class ChunkReader:
    """Reads the chunks of one answer: returns its text, and keeps calls, usage and the finish reason.

    An error raises `Refusal`, so that it can never look like an answer.
    """

    def __init__(
        self,
        server: str,
        offer: ToolConfig | None,
        new_id: Callable[[], str],
        *,
        key: str = "",
        wants_extras: bool = False,
        logprobs: bool = False,
        stops: Sequence[str] = (),
    ) -> None:
        """*offer*: the tools that may be called. *new_id*: makes ids for calls without one. *key*: redacted in errors.
        *wants_extras*: thoughts are passed on too, with *logprobs* log probabilities as well. *stops*: as in `Ask`."""
        self._server = server
        self._key = key
        self._calls = CallParts(server, offer, new_id)
        self._reason = ""
        self._stops = stops
        self._stop: str | None = None  # the one that the server says it met
        self._refusal: list[str] = []
        self._sources = Sources()
        self._usage: Usage | None = None
        self._wants_extras, self._logprobs = wants_extras, wants_extras and logprobs
        self._has_text = False  # looked at where log probabilities are given out: those before it are of thoughts
        self._has_pieces = False  # some servers end those with all of them once more, as one message
        self._extras_size = 0
        self._has_extras = False
        self._kept = ExtrasJoiner()  # thoughts that go back with the calls, beside those that are passed on
        self._has_kept = False  # the last event had some
        self._template = Template()
        self.plain = self._template.plain  # as `Template.plain`; there is a text in the events before it
        self.extras: Extras | None = None  # of the last event, with its text
        self.reasoning_field = ""  # in which thoughts have come, where they are passed on; or `THINKING`
        self.finished = False  # the end mark has come
        self.has_begun = False  # the model has: something of its answer has come

    def read(self, data: bytes) -> str:
        """The text that one event adds; empty for all that add none, and where `extras` holds it. Raises `Refusal`."""
        if (plain := self._template.text(data)) is not None:
            self.extras = None
            return plain
        if (stripped := data.strip()) in (DONE, b""):  # nothing, as some say that they are alive
            self.finished = self.finished or stripped == DONE
            self.extras = None
            return ""
        chunk = read_json(data)
        if chunk is None:
            raise cut_off(self._server, "what came is no JSON", has_begun=self.has_begun)
        text = self.take(chunk if isinstance(chunk, dict) else {})
        if self.extras is not None or self._has_kept:
            self._extras_size += len(data)
            if self._extras_size > MAX_EXTRAS:
                raise cut_off(self._server, "it does not end", has_begun=True)
        elif text and not self._logprobs:
            self._template.learn(data, chunk)
        return text if self.extras is None else ""

    def take(self, chunk: dict[str, Any]) -> str:
        """As `read`, of a chunk or a whole answer; the text is returned in any case."""
        self.extras, self._has_kept = None, False
        if error := chunk.get("error") or (chunk.get("object") == "error" and chunk):  # Mistral's shape
            raise self._failed(error)
        if usage := chunk.get("usage"):
            self._usage = _read_usage(usage) or self._usage
        self._sources.read_beside(chunk)
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        self.has_begun = True
        choice = choices[0]
        if error := choice.get("error"):  # OpenRouter's, of what the model's provider told in its answer
            raise self._failed(error)
        if reason := choice.get("finish_reason"):
            self._reason = str(reason).partition(":")[0]
            met = choice.get("stop_reason") or choice.get("matched_stop")  # vLLM's and SGLang's; may be the model's own
            self._stop = met if met in self._stops else None
        delta = choice.get("delta") or (None if self._has_pieces else choice.get("message"))
        if not isinstance(delta, dict):
            return ""
        if calls := delta.get("tool_calls"):
            self._calls.add(calls)
        if call := delta.get("function_call"):
            self._calls.add([{"function": call}])
        self._read_beside(delta)
        content = delta.get("content")
        text, delta = (content, delta) if isinstance(content, str) else self._from_parts(content, delta)
        self._has_pieces = self._has_pieces or bool("delta" in choice and (text or calls))
        if self._logprobs or not _THOUGHTS.isdisjoint(delta):
            self._read_extras(choice, delta, text)
        return text

    def fail(self, data: str) -> NoReturn:
        """Raise `Refusal` for the *data* of an error event."""
        value = read_json(data)
        raise self._failed((value.get("error") if isinstance(value, dict) else None) or value or data)

    @property
    def calls(self) -> Sequence[ToolCall]:
        """The calls; of an answer cut by its limit, the complete ones."""
        is_cut = _REASONS.get(self._reason) == "length"
        return self._calls.joined((self._kept.joined() or Extras()).thoughts, is_cut=is_cut)

    @property
    def is_whole(self) -> bool:
        """Whether the answer is complete."""
        return (bool(self._reason) or self.finished) and self._reason not in _FAILURES

    def end(self) -> End:
        """How the answer ended, once the body or its end mark is read. Raises `Refusal` for an incomplete one."""
        if self._reason in _FAILURES:
            raise cut_off(self._server, f"it ended with '{self._reason}'", has_begun=self.has_begun)
        if not self._reason and not self.finished:
            raise cut_off(self._server, "the stream ended without its end", has_begun=self.has_begun)
        if not self.has_begun:
            raise cut_off(self._server, "there is nothing in it", has_begun=False)
        reason = _REASONS.get(self._reason, "stop")
        if reason == "stop" and self.calls:
            reason = "tool_calls"
        return End(reason, "".join(self._refusal) or None, self._sources.all(), self._usage, stop=self._stop)

    def _failed(self, error: Any) -> Refusal:
        body = read_value(error, self._key)
        has_begun = self._has_pieces or self._has_extras  # a role may come before the model is asked
        return from_event(self._server, body, named_status(error), has_begun=has_begun)

    def _from_parts(self, content: Any, delta: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The text of such *content*, and *delta* with its thoughts as other servers send them."""
        if thoughts := _thoughts_of(content):
            self.reasoning_field = THINKING
            delta = {**delta, REASONING_TEXTS[0]: delta.get(REASONING_TEXTS[0]) or thoughts}
        return _text_of(content), delta

    def _read_beside(self, delta: Mapping[str, Any]) -> None:
        """A refusal, and cited pages."""
        if isinstance(refusal := delta.get("refusal"), str):
            self._refusal.append(refusal)
        self._sources.read_annotations(delta.get("annotations"))

    def _read_extras(self, choice: Mapping[str, Any], delta: dict[str, Any], text: str) -> None:
        """What was told beside *text*: a part is passed on, a part goes back with the calls."""
        self._has_text = self._has_text or bool(text)
        logprobs = choice.get("logprobs") if self._logprobs and self._has_text else None
        extras = read_extras(delta, logprobs, text)
        if extras is not None:
            thoughts, passes_on = extras.thoughts.items(), self._wants_extras
            kept = {name: value for name, value in thoughts if name == DETAILS or not passes_on}
            self._kept.add(Extras(thoughts=kept))
            self._has_kept = bool(kept)
        self.extras = extras if self._wants_extras else None
        self._has_extras = self._has_extras or self.extras is not None or self._has_kept
        if self.extras is not None and not self.reasoning_field:
            self.reasoning_field = next((name for name in REASONING_TEXTS if name in self.extras.thoughts), "")


def _text_of(content: Any) -> str:
    """The text in content that comes as parts; thoughts are others of them."""
    parts = [part for part in _parts_of(content) if part.get("type") in ("text", "output_text")]
    return "".join(text for part in parts if isinstance(text := part.get("text"), str))


def _thoughts_of(content: Any) -> str:
    """The thoughts in such content; each part holds a text, or parts again."""
    inner = [part.get(THINKING) for part in _parts_of(content) if part.get("type") == THINKING]
    return "".join(each if isinstance(each, str) else _text_of(each) for each in inner)


def _parts_of(content: Any) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _read_usage(usage: Any) -> Usage | None:
    """The counts in the `usage` of a chunk or an answer; None where it has none."""
    prompt, completion = (
        (usage.get(name) for name in ("prompt_tokens", "completion_tokens")) if isinstance(usage, dict) else (0, 0)
    )
    if isinstance(prompt, int) and isinstance(completion, int) and prompt + completion > 0:
        cached = _detail(usage, "prompt_tokens_details", "cached_tokens")
        thought = _detail(usage, "completion_tokens_details", "reasoning_tokens")
        return Usage(max(prompt, 0), max(completion, 0), cached, thought)
    return None


def _detail(usage: dict[str, Any], group: str, name: str) -> int:
    """A count in a *group* of the usage, which many servers leave out."""
    details = usage.get(group)
    count = details.get(name) if isinstance(details, dict) else 0
    return max(count, 0) if isinstance(count, int) else 0
