"""`freeaichat chat`: a conversation with a model of the running proxy."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import click

from shared.cli.failures import Failure, read_gateway, read_settings
from shared.cli.gateway import Gateway, GatewayError, NoGateway
from shared.cli.models import default_model, not_running
from shared.processes.services import EXIT_FAILED
from shared.secrets import private_dir
from shared.settings import Settings

LAST_FILE = "chat.last"  # in the data directory: the id of the last conversation
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
_WHOLE = {"stop", "length"}


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
    """A conversation that goes on turn by turn."""

    def __init__(
        self, gateway: Gateway, model: str, conversation: str | None, *, search: bool, keep: Callable[[str], None]
    ) -> None:
        """*keep* gets the conversation's id once it is of use; *conversation* None makes a new one.

        Raises `NoGateway` and `GatewayError`.
        """
        self._gateway = gateway
        self._keep = keep
        self._is_kept = False
        self._model = model
        self._search = search
        self._is_new = conversation is None
        self.conversation = conversation or gateway.new_conversation()

    def turn(self, message: str, show: Callable[[str], None]) -> Turn:
        """Send *message*; *show* gets the pieces of the answer as they come. Raises `BrokenOff` and `Failure`."""
        request: dict[str, Any] = {
            "model": self._model,
            "conversation_id": self.conversation,
            "messages": [{"role": "user", "content": message}],
        }
        if self._search:
            request["web_search"] = True
        turn = Turn(self._model, self.conversation)
        try:
            for chunk in self._gateway.stream_chat(request):
                piece = turn.take(chunk)
                if piece:
                    self._remember()
                show(piece)
        except (NoGateway, GatewayError) as error:
            if not turn.text:
                raise Failure(_told(error)) from error
            show("\n")
            raise BrokenOff(_told(error), turn) from error
        self._remember()
        return turn

    def end(self) -> None:
        """Take away a conversation in which nothing was ever answered; one that cannot be reached is left."""
        if self._is_new and not self._is_kept:
            with suppress(NoGateway, GatewayError):  # what was refused before is what the person has to know
                self._gateway.delete_conversation(self.conversation)

    def _remember(self) -> None:
        if not self._is_kept:
            self._is_kept = True
            self._keep(self.conversation)


def chat(
    message: str | None, *, model: str | None, search: bool, go_on: bool, conversation: str | None, as_json: bool
) -> None:
    """Say *message*, or what comes through a pipe, or talk until the input ends. Raises `Failure`."""
    settings = read_settings()
    is_loop = message is None and sys.stdin.isatty() and not as_json
    said = "" if is_loop else _message(message)
    talk = _begin(settings, model, search=search, conversation=_last(settings) if go_on else conversation)
    try:
        if is_loop:
            _loop(talk)
            return
        turn = talk.turn(said, (lambda _: None) if as_json else _print)
    finally:
        talk.end()
    if as_json:
        click.echo(json.dumps(asdict(turn), ensure_ascii=False))
    else:
        _end(turn)
        if sys.stderr.isatty():
            click.secho('go on: freeaichat chat --continue "…"', dim=True, err=True)
    if turn.finish_reason not in _WHOLE:
        sys.exit(EXIT_FAILED)


def _begin(settings: Settings, model: str | None, *, search: bool, conversation: str | None) -> Talk:
    gateway = read_gateway(settings)
    name = model or default_model(gateway)
    try:
        return Talk(gateway, name, conversation, search=search, keep=lambda name: _keep(settings, name))
    except (NoGateway, GatewayError) as error:
        raise Failure(_told(error)) from error


def _loop(talk: Talk) -> None:
    click.secho("/exit or Ctrl-D ends, Ctrl-C stops an answer", dim=True, err=True)
    while (said := _ask()) is not None:
        if not said:
            continue
        try:
            _end(talk.turn(said, _print))
        except KeyboardInterrupt:
            click.secho("\n(stopped)", fg="yellow", err=True)
        except Failure as failure:
            failure.show()


def _ask() -> str | None:
    """What the person says next ("": nothing); None at the end."""
    try:
        said = input("> ").strip()
    except KeyboardInterrupt:
        click.echo()
        return ""
    except EOFError:
        click.echo()
        return None
    return None if said == "/exit" else said


def _message(message: str | None) -> str:
    """The message, read from standard input where it is missing or `-`. Raises `Failure`."""
    if message is None or message == "-":
        message = sys.stdin.buffer.read(MAX_MESSAGE_BYTES).decode("utf-8", "replace")
    if not message.strip():
        raise Failure('there is nothing to say: freeaichat chat "hi", or text through a pipe')
    return message


def _print(piece: str) -> None:
    click.echo(piece, nl=False)


def _end(turn: Turn) -> None:
    """What follows the text: the sources, and that it is not whole where it is not."""
    click.echo()
    sources = [note["url_citation"] for note in turn.annotations if "url_citation" in note]
    if sources:
        click.echo("\nSources:")
    for source in {str(source["url"]): source for source in sources}.values():
        click.echo(f"- {source.get('title') or source['url']}: {source['url']}")
    if turn.finish_reason not in _WHOLE:
        click.echo(f"freeaichat: the answer is not whole ({turn.finish_reason or 'no reason told'})", err=True)


def _told(error: NoGateway | GatewayError) -> str:
    if isinstance(error, NoGateway):
        return not_running(error)
    mends = {
        401: "set FREEAICHAT_API_KEY to the proxy's key, or use the data directory that the proxy uses",
        404: "`freeaichat models` lists the models; without --continue a new conversation begins",
        429: "try again later",
        503: "`freeaichat status` says why",
    }
    mend = mends.get(error.status)
    return f"{error}; {mend}" if mend else str(error)


def _keep(settings: Settings, conversation: str) -> None:
    """Remember *conversation* for `--continue` (mode 0600). Raises `Failure`."""
    try:
        path = private_dir(settings.data_dir) / LAST_FILE
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{conversation}\n")
    except OSError as error:
        raise Failure(f"{settings.data_dir} cannot be written ({error.strerror}): see `freeaichat doctor`") from error


def _last(settings: Settings) -> str:
    """The last conversation. Raises `Failure` where there is none."""
    try:
        return (settings.data_dir / LAST_FILE).read_text("utf-8").strip()
    except OSError as error:
        raise Failure("there is no conversation to go on with; begin one without --continue") from error
