"""Emulation of tools and structured output for upstreams that take only text: reads the text of one answer."""

import re
from collections.abc import Callable
from secrets import choice
from string import ascii_letters, digits

from proxy.chat.errors import ServiceError
from proxy.chat.history import spelled
from proxy.chat.tools.call_reader import CallReader, Event, Verdict
from proxy.chat.tools.coercion import SchemaMismatch
from proxy.chat.tools.definitions import ToolConfig
from proxy.chat.tools.structured_output import read_structured_output
from proxy.chat.truncation import Truncator
from proxy.chat.upstream import StopReading
from shared.conversations import Message, ToolCall

_ID_CHARACTERS = ascii_letters + digits
# What may stand after calls and closes them: the rest of a fence, tags, and marks of the end.
_CLOSING = re.compile(r"(?:[\s`}\]]|<[/|｜]{0,2}[\w▁:.|｜-]{0,40}>?)*+")
_MAX_CLOSING = 200  # characters


class Emulation:
    """Turns the text of one answer into what the client gets: text, complete calls, bare JSON.

    Text is held back where it may be invalid: where a call or JSON is required, and in a retry.
    """

    def __init__(
        self,
        tool_config: ToolConfig,
        emit_text: Callable[[str], bool],
        emit_call: Callable[[ToolCall], bool],
        *,
        max_tokens: int | None,
        earlier: Message | None,
    ) -> None:
        """*earlier*: the result of earlier attempts, if any; its calls are not emitted again."""
        self._tool_config = tool_config
        self._emit_text, self._emit_call = emit_text, emit_call
        self._reader = CallReader(tool_config, new_call_id)
        self._truncator = Truncator((), max_tokens) if max_tokens else None
        self._given_calls = {(call.name, spelled(call)) for call in earlier.calls} if earlier else set()
        self._is_below_text = bool(earlier and earlier.text)
        self._holds_text = (
            earlier is not None or tool_config.output_format is not None or tool_config.choice.mode == "required"
        )
        self._held: list[str] = []
        self._raw: list[str] = []
        self._after = ""  # text after the calls

    @property
    def raw(self) -> str:
        """The whole text, as the upstream sent it."""
        return "".join(self._raw)

    def is_over(self) -> bool:
        """Whether the rest is not needed: the calls are complete, or the model made up their results."""
        return self._reader.is_done

    def feed(self, text: str) -> bool:
        """As `Sink.text`."""
        self._raw.append(text)
        if self._truncator is not None:
            text = self._truncator.feed(text)
        if self.is_over():
            self._after += text
            if len(self._after) > _MAX_CLOSING or not _CLOSING.fullmatch(self._after):
                raise StopReading("tool_calls")  # the model makes up what comes after its calls
            return True
        wants_more = self._emit(self._reader.feed(text))
        if self.is_over():
            self._after = text[max(text.rfind("}"), text.rfind("`"), text.rfind(">")) + 1 :]
        if self.is_over() and not self._reader.has_calls:
            raise StopReading("stop")
        if self._truncator is not None and self._truncator.reason:
            raise StopReading("length")
        return wants_more

    def end(self, *, cut: bool) -> Verdict:
        """Emit what is left after the end of the answer; *cut*: it ended before the model was done."""
        self._emit(self._reader.end(cut=cut))
        verdict = self._reader.verdict
        if verdict.problem or verdict.has_partial or self._reader.has_calls:
            return verdict
        if self._tool_config.output_format is None:
            text = "".join(self._held)
            if not self._given_calls:
                self._emit_text(f"\n\n{text}" if self._is_below_text and text else text)
            return verdict
        try:
            text, repaired = read_structured_output("".join(self._held), self._tool_config.output_format, cut=cut)
        except SchemaMismatch as error:
            return Verdict(str(error), is_json=True)
        self._emit_text(text)
        return Verdict(repaired=repaired, is_json=True)

    def _emit(self, events: list[Event]) -> bool:
        wants_more = True
        for event in events:
            if isinstance(event, ToolCall):
                if not self._given_calls or (event.name, spelled(event)) not in self._given_calls:
                    wants_more = self._emit_call(event)
            elif self._holds_text:
                self._held.append(event)
            else:
                wants_more = self._emit_text(event)
        return wants_more


def new_call_id() -> str:
    """Return a new call id, in the form of OpenAI's API."""
    return "call_" + "".join(choice(_ID_CHARACTERS) for _ in range(24))


def invalid_output(*, is_json: bool) -> ServiceError:
    """The error after the last invalid JSON or call. It quotes nothing of the model's output.

    Clients should not retry: the operator's number of retries is used up.
    """
    missing = "valid JSON in the form that was asked for" if is_json else "valid call of a tool"
    return ServiceError(
        502,
        f"The model gave no {missing}. Models differ in how well they do it: try again, or another one.",
        type="server_error",
        code="invalid_json" if is_json else "invalid_tool_call",
        should_retry=False,
    )
