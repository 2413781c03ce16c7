"""A chat session with a model of the running proxy."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.cli.failures import Failure, describe
from shared.cli.gateway import Gateway, GatewayError, GatewayUnreachable


@dataclass(slots=True)
class Turn:
    """One answer, complete or not."""

    model: str
    conversation_id: str
    text: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what the person would not expect of it

    @property
    def is_complete(self) -> bool:
        """Whether it is complete."""
        return self.finish_reason in {"stop", "length"}

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Remember what the answer's *headers* tell of it."""
        remarks = {
            "x-fallback-model": "{} answered in place of the model",
            "x-dropped-messages": "earlier messages that were left out: {}",
            "x-ignored-params": "not to be had here: {}",
        }
        self.remarks = [words.format(headers[name]) for name, words in remarks.items() if headers.get(name)]

    def take(self, chunk: dict[str, Any]) -> str:
        """Add a chunk of the stream; returns its text."""
        added = ""
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices", []):
            delta = choice.get("delta", {})
            added += delta.get("content") or ""
            self.annotations += delta.get("annotations") or []
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        self.text += added
        return added


class ChatSession:
    """A conversation, turn by turn. `model` and `search` may be changed between turns."""

    def __init__(
        self, gateway: Gateway, model: str, conversation: str | None, *, search: bool, save: Callable[[str], None]
    ) -> None:
        """*save* gets the conversation's id once there is an answer; *conversation* None: create a new one.

        Raises `Failure`.
        """
        self._gateway = gateway
        self._save = save
        self._is_saved = False
        self._is_new = False
        self.model = model
        self.search = search
        self.conversation = conversation or ""
        if not conversation:
            self.start_new()

    def start_new(self) -> None:
        """Start a new conversation. Raises `Failure`."""
        try:
            conversation = self._gateway.new_conversation()
        except GatewayError as error:
            raise Failure(describe(error)) from error
        self.end()
        self.conversation, self._is_new, self._is_saved = conversation, True, False

    def turn(self, message: str, show: Callable[[str], None]) -> Turn:
        """Send *message*; *show* gets the text of the answer as it streams. Raises `Failure`."""
        request: dict[str, Any] = {
            "model": self.model,
            "conversation_id": self.conversation,
            "messages": [{"role": "user", "content": message}],
        }
        if self.search:
            request["web_search"] = True
        turn = Turn(self.model, self.conversation)
        try:
            for chunk in self._gateway.stream_chat(request, turn.read_headers):
                delta = turn.take(chunk)
                if delta:
                    self._save_once()
                show(delta)
        except GatewayError as error:
            if not turn.text:
                raise Failure(describe(error)) from error
            show("\n")
            raise Failure(describe(error), asdict(turn)) from error  # with `--json` the text so far is printed too
        self._save_once()
        return turn

    def end(self) -> None:
        """Delete a new conversation without answers, if the proxy can be reached."""
        if self._is_new and not self._is_saved:
            with suppress(GatewayUnreachable):  # the error before is the one to report
                self._gateway.delete_conversation(self.conversation)

    def _save_once(self) -> None:
        if not self._is_saved:
            self._is_saved = True
            self._save(self.conversation)
