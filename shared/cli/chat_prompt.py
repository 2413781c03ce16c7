"""`freeaichat chat` in a terminal: a prompt with history, and commands for model, search and conversation."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from urllib.parse import quote

import click

from shared.cli import text
from shared.cli.chat_session import ChatSession, Turn
from shared.cli.failures import Failure, describe
from shared.cli.gateway import Gateway, GatewayError, GatewayUnreachable
from shared.cli.models import model_names
from shared.secrets import private_dir
from shared.settings import Settings

HISTORY_FILE = "chat.history"  # in the data directory
HISTORY_LINES = 1000
COMMANDS = {
    "/model": "list the models; /model NAME goes on with that one",
    "/search": "switch web search on or off",
    "/new": "begin a new conversation",
    "/help": "show this",
    "/quit": "end, as /exit and Ctrl-D do",
}
_COMMAND = re.compile(r"/[a-z]+$")

Show = Callable[[str], None]


class Prompt:
    """The prompt loop of an interactive chat."""

    def __init__(self, gateway: Gateway, session: ChatSession) -> None:
        self._gateway = gateway
        self._session = session

    def run(self) -> None:
        """Run until the user ends it."""
        click.secho(f"{self._session.model}; /help lists the commands, Ctrl-C stops an answer", dim=True, err=True)
        while (line := read_line()) is not None:
            try:
                if not self._handle(line):
                    return
            except KeyboardInterrupt:
                click.secho("\n(stopped)", fg="yellow", err=True)
            except Failure as failure:
                failure.show()

    def _handle(self, line: str) -> bool:
        """Run a command, or send *line* to the model; returns whether to go on. Raises `Failure`."""
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word in {"/quit", "/exit"}:
            return False
        if word == "/model":
            self._choose(rest)
        elif word == "/search":
            self._session.search = {"on": True, "off": False}.get(rest, not self._session.search)
            _print_hint(f"web search is {'on' if self._session.search else 'off'}")
        elif word == "/new":
            self._session.start_new()
            _print_hint("a new conversation; `freeaichat chat --conversation ID` goes on with others")
        elif _COMMAND.match(word):
            if word != "/help":
                _print_hint(f"{word} is no command")
            for name, meaning in COMMANDS.items():
                _print_hint(f"{name:<8} {meaning}")
        elif line:
            answer(self._session, line)
        return True

    def _choose(self, name: str) -> None:
        """Go on with the model *name*; without one, list them. Raises `Failure`."""
        if not name:
            for each in model_names(self._gateway):
                click.echo(f"{'*' if each == self._session.model else ' '} {each}")
            return
        try:
            model = self._gateway.fetch(f"/v1/models/{quote(name, safe='/:')}")
        except GatewayUnreachable as error:
            raise Failure(describe(error)) from error
        except GatewayError as error:
            raise Failure(f"{error}; /model lists them") from error
        self._session.model = str(model.get("id", name))
        _print_hint(f"going on with {self._session.model}")


def read_line() -> str | None:
    """Read the next line; None at the end of the input."""
    try:
        return input("> ").strip()
    except KeyboardInterrupt:
        click.echo()
        return ""
    except EOFError:
        click.echo()
        return None


def answer(session: ChatSession, prompt: str) -> Turn:
    """Show the answer to *prompt*, its sources, and remarks, for instance that it is incomplete.

    Raises `Failure`.
    """
    with _answer_view() as show:
        turn = session.turn(prompt, show)
    click.echo()
    sources = [note["url_citation"] for note in turn.annotations if "url_citation" in note]
    if sources:
        click.echo("\nSources:")
    for source in {str(source["url"]): source for source in sources}.values():
        click.echo(text.sanitized(f"- {source.get('title') or source['url']}: {source['url']}"))
    for remark in turn.remarks:
        _print_hint(f"({text.sanitized(remark)})")
    if not turn.is_complete:
        click.echo(f"freeaichat: the answer is not whole ({turn.finish_reason or 'no reason told'})", err=True)
    return turn


def _answer_view() -> AbstractContextManager[Show]:
    """The printer of an answer: rendered Markdown where there is colour, else plain text."""
    if not sys.stdout.isatty():
        return nullcontext(_print)
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return nullcontext(lambda delta: _print(text.sanitized(delta)))
    return _markdown_view()


@contextmanager
def _markdown_view() -> Iterator[Show]:
    from shared.cli.markdown import MarkdownStream  # which imports rich

    with MarkdownStream() as answer:
        yield answer.show


@contextmanager
def line_history(settings: Settings) -> Iterator[None]:
    """Enable line editing with a history that is kept between runs (mode 0600)."""
    try:
        import readline
    except ImportError:  # a Python that was built without it
        yield
        return
    readline.set_history_length(HISTORY_LINES)
    readline.set_completer(lambda word, state: next(iter(_completions(word)[state:]), None))
    readline.set_completer_delims(" ")
    if "libedit" in (readline.__doc__ or ""):
        readline.parse_and_bind("bind ^I rl_complete")
    else:
        readline.parse_and_bind("tab: complete")
        readline.parse_and_bind("set enable-bracketed-paste on")  # several lines that are pasted are one message
    with suppress(OSError):  # none yet, or none that can be kept
        readline.read_history_file(_history(settings))
    try:
        yield
    finally:
        with suppress(OSError):
            readline.write_history_file(_history(settings))


def _completions(word: str) -> list[str]:
    return [name for name in COMMANDS if word.startswith("/") and name.startswith(word)]


def _history(settings: Settings) -> Path:
    """The path of the history file, created if missing. Raises OSError."""
    path = private_dir(settings.data_dir) / HISTORY_FILE
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    return path


def _print_hint(line: str) -> None:
    click.secho(line, dim=True, err=True)


def _print(delta: str) -> None:
    click.echo(delta, nl=False)
