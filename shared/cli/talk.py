"""A conversation with a model of the running proxy, turn by turn."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.cli.failures import Failure, told
from shared.cli.gateway import Gateway, GatewayError, NoGateway


@dataclass(slots=True)
class Turn:
    """One answer, as far as it came."""

    model: str
    conversation_id: str
    text: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  # what the person would not expect of it

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self.finish_reason in {"stop", "length"}

    def heed(self, headers: Mapping[str, str]) -> None:
        """Remember what the answer's *headers* tell of it."""
        told = {
            "x-fallback-model": "{} answered in place of the model",
            "x-dropped-messages": "earlier messages that were left out: {}",
            "x-ignored-params": "not to be had here: {}",
        }
        self.remarks = [words.format(headers[name]) for name, words in told.items() if headers.get(name)]

    def take(self, chunk: dict[str, Any]) -> str:
        """Add what *chunk* brings; returns its text."""
        came = ""
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices", []):
            delta = choice.get("delta", {})
            came += delta.get("content") or ""
            self.annotations += delta.get("annotations") or []
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        self.text += came
        return came


class Talk:
    """A conversation that goes on turn by turn. `model` and `search` may be changed between two."""

    def __init__(
        self, gateway: Gateway, model: str, conversation: str | None, *, search: bool, keep: Callable[[str], None]
    ) -> None:
        """*keep* gets the conversation's id once it is of use; *conversation* None makes a new one.

        Raises `Failure`.
        """
        self._gateway = gateway
        self._keep = keep
        self._is_kept = False
        self._is_new = False
        self.model = model
        self.search = search
        self.conversation = conversation or ""
        if not conversation:
            self.begin_anew()

    def begin_anew(self) -> None:
        """Go on in a new conversation. Raises `Failure`."""
        try:
            conversation = self._gateway.new_conversation()
        except GatewayError as error:
            raise Failure(told(error)) from error
        self.end()
        self.conversation, self._is_new, self._is_kept = conversation, True, False

    def turn(self, message: str, show: Callable[[str], None]) -> Turn:
        """Send *message*; *show* gets the pieces of the answer as they come. Raises `Failure`."""
        request: dict[str, Any] = {
            "model": self.model,
            "conversation_id": self.conversation,
            "messages": [{"role": "user", "content": message}],
        }
        if self.search:
            request["web_search"] = True
        turn = Turn(self.model, self.conversation)
        try:
            for chunk in self._gateway.stream_chat(request, turn.heed):
                piece = turn.take(chunk)
                if piece:
                    self._remember()
                show(piece)
        except GatewayError as error:
            if not turn.text:
                raise Failure(told(error)) from error
            show("\n")
            raise Failure(told(error), asdict(turn)) from error  # with `--json` the text so far is told too
        self._remember()
        return turn

    def end(self) -> None:
        """Take away a conversation in which nothing was ever answered; one that cannot be reached is left."""
        if self._is_new and not self._is_kept:
            with suppress(NoGateway):  # what was refused before is what the person has to know
                self._gateway.delete_conversation(self.conversation)

    def _remember(self) -> None:
        if not self._is_kept:
            self._is_kept = True
            self._keep(self.conversation)
