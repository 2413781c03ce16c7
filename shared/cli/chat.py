"""`freeaichat chat`: a conversation with a model of the running proxy."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import partial

import click

from shared.cli.chat_prompt import Prompt, answer, line_history
from shared.cli.chat_session import ChatSession
from shared.cli.failures import Failure, read_gateway, read_settings
from shared.cli.models import default_model
from shared.processes.services import EXIT_FAILED
from shared.secrets import private_dir
from shared.settings import Settings

LAST_FILE = "chat.last"  # in the data directory: the id of the last conversation
MAX_MESSAGE_BYTES = 8 * 1024 * 1024


def chat(
    message: str | None, *, model: str | None, search: bool, go_on: bool, conversation: str | None, as_json: bool
) -> None:
    """Send *message*, or standard input, or run an interactive chat. Raises `Failure`."""
    settings = read_settings()
    is_interactive = message is None and sys.stdin.isatty() and not as_json
    prompt = "" if is_interactive else _message(message)
    gateway = read_gateway(settings)
    conversation = _load_last(settings) if go_on else conversation
    session = ChatSession(
        gateway, model or default_model(gateway), conversation, search=search, save=partial(_save_last, settings)
    )
    try:
        if is_interactive:
            with line_history(settings):
                Prompt(gateway, session).run()
            return
        turn = session.turn(prompt, lambda _: None) if as_json else answer(session, prompt)
    finally:
        session.end()
    if as_json:
        click.echo(json.dumps(asdict(turn), ensure_ascii=False))
    elif sys.stderr.isatty():
        click.secho('go on: freeaichat chat --continue "…"', dim=True, err=True)
    if not turn.is_complete:
        sys.exit(EXIT_FAILED)


def _message(message: str | None) -> str:
    """The message, read from standard input where it is missing or `-`. Raises `Failure`."""
    if message is None or message == "-":
        piped = sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)
        if len(piped) > MAX_MESSAGE_BYTES:
            raise Failure(f"the message is longer than {MAX_MESSAGE_BYTES >> 20} MiB; say less at once")
        message = piped.decode("utf-8", "replace")
    if not message.strip():
        raise Failure('there is nothing to say: freeaichat chat "hi", or text through a pipe')
    return message


def _save_last(settings: Settings, conversation: str) -> None:
    """Save the id *conversation* for `--continue` (mode 0600). A failure is printed, and the answer goes on."""
    try:
        path = private_dir(settings.data_dir) / LAST_FILE
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(f"{conversation}\n")
    except OSError as error:
        problem = f"{settings.data_dir} cannot be written ({error.strerror}); to go on: --conversation {conversation}"
        click.echo(f"freeaichat: {problem}", err=True)


def _load_last(settings: Settings) -> str:
    """The last conversation. Raises `Failure` where there is none."""
    with suppress(OSError, UnicodeDecodeError):
        if kept := (settings.data_dir / LAST_FILE).read_text("utf-8").strip():
            return kept
    raise Failure("there is no conversation to go on with; begin one without --continue")
