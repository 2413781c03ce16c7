"""A conversation with a model of the running proxy, turn by turn."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.cli.failures import Failure
from shared.cli.gateway import Gateway, GatewayError, NoGateway
from shared.cli.models import not_running


@dataclass(slots=True)
class Turn:
    """One answer, as far as it came."""

    model: str
    conversation_id: str
    text: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)

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


class BrokenOff(Failure):
    """The answer ended with an error after some of its text had come; with `--json` that text is told too."""

    def __init__(self, message: str, turn: Turn) -> None:
        super().__init__(message)
        self.details = asdict(turn)


class Talk:
    """A conversation that goes on turn by turn. `model` and `search` may be changed between two."""

    def __init__(
        self, gateway: Gateway, model: str, conversation: str | None, *, search: bool, keep: Callable[[str], None]
    ) -> None:
        """*keep* gets the conversation's id once it is of use; *conversation* None makes a new one.

        Raises `NoGateway` and `GatewayError`.
        """
        self._gateway = gateway
        self._keep = keep
        self._is_kept = False
        self.model = model
        self.search = search
        self._is_new = conversation is None
        self.conversation = conversation or gateway.new_conversation()

    def turn(self, message: str, show: Callable[[str], None]) -> Turn:
        """Send *message*; *show* gets the pieces of the answer as they come. Raises `BrokenOff` and `Failure`."""
        request: dict[str, Any] = {
            "model": self.model,
            "conversation_id": self.conversation,
            "messages": [{"role": "user", "content": message}],
        }
        if self.search:
            request["web_search"] = True
        turn = Turn(self.model, self.conversation)
        try:
            for chunk in self._gateway.stream_chat(request):
                piece = turn.take(chunk)
                if piece:
                    self._remember()
                show(piece)
        except (NoGateway, GatewayError) as error:
            if not turn.text:
                raise failure_of(error) from error
            show("\n")
            raise BrokenOff(_told(error), turn) from error
        self._remember()
        return turn

    def end(self) -> None:
        """Take away a conversation in which nothing was ever answered; one that cannot be reached is left."""
        if self._is_new and not self._is_kept:
            with suppress(NoGateway, GatewayError):  # what was refused before is what the person has to know
                self._gateway.delete_conversation(self.conversation)

    def anew(self) -> "Talk":
        """Another conversation with the same model. Raises `NoGateway` and `GatewayError`."""
        return Talk(self._gateway, self.model, None, search=self.search, keep=self._keep)

    def _remember(self) -> None:
        if not self._is_kept:
            self._is_kept = True
            self._keep(self.conversation)


def failure_of(error: NoGateway | GatewayError) -> Failure:
    """What *error* is for the person: with the mend, where one is known."""
    return Failure(_told(error))


def _told(error: NoGateway | GatewayError) -> str:
    if isinstance(error, NoGateway):
        return not_running(error)
    mends: dict[str | int, str] = {
        401: "set FREEAICHAT_API_KEY to the proxy's key, or use the data directory that the proxy uses",
        "model_not_found": "`freeaichat models` lists the models",
        "conversation_not_found": "without --continue and --conversation a new one begins",
        429: "try again later",
        503: "`freeaichat status` says why",
    }
    mend = mends.get(error.code) or mends.get(error.status)
    return f"{error}; {mend}" if mend else str(error)
