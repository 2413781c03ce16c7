"""`freeaichat chat` in a terminal: what is typed has a history, and commands change model, search and conversation."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from urllib.parse import quote

import click

from shared.cli import text
from shared.cli.failures import Failure, told
from shared.cli.gateway import Gateway, GatewayError, NoGateway
from shared.cli.models import model_names
from shared.cli.talk import Talk, Turn
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


class Dialogue:
    """One sitting: the conversation under way, and what is typed."""

    def __init__(self, gateway: Gateway, talk: Talk) -> None:
        self._gateway = gateway
        self._talk = talk

    def run(self) -> None:
        """Until the person ends it."""
        click.secho(f"{self._talk.model}; /help lists the commands, Ctrl-C stops an answer", dim=True, err=True)
        while (said := ask()) is not None:
            try:
                if not self._obey(said):
                    return
            except KeyboardInterrupt:
                click.secho("\n(stopped)", fg="yellow", err=True)
            except Failure as failure:
                failure.show()

    def _obey(self, said: str) -> bool:
        """Do what was *said*: a command, or words for the model; whether to go on. Raises `Failure`."""
        word, _, rest = said.partition(" ")
        rest = rest.strip()
        if word in {"/quit", "/exit"}:
            return False
        if word == "/model":
            self._choose(rest)
        elif word == "/search":
            self._talk.search = {"on": True, "off": False}.get(rest, not self._talk.search)
            _tell(f"web search is {'on' if self._talk.search else 'off'}")
        elif word == "/new":
            self._talk.begin_anew()
            _tell("a new conversation; `freeaichat chat --conversation ID` goes on with others")
        elif _COMMAND.match(word):
            if word != "/help":
                _tell(f"{word} is no command")
            for name, does in COMMANDS.items():
                _tell(f"{name:<8} {does}")
        elif said:
            answer(self._talk, said)
        return True

    def _choose(self, name: str) -> None:
        """Go on with the model *name*; without one, list them. Raises `Failure`."""
        if not name:
            for each in model_names(self._gateway):
                click.echo(f"{'*' if each == self._talk.model else ' '} {each}")
            return
        try:
            model = self._gateway.fetch(f"/v1/models/{quote(name, safe='/:')}")
        except NoGateway as error:
            raise Failure(told(error)) from error
        except GatewayError as error:
            raise Failure(f"{error}; /model lists them") from error
        self._talk.model = str(model.get("id", name))
        _tell(f"going on with {self._talk.model}")


def ask() -> str | None:
    """What the person says next ("": nothing); None at the end."""
    try:
        return input("> ").strip()
    except KeyboardInterrupt:
        click.echo()
        return ""
    except EOFError:
        click.echo()
        return None


def answer(talk: Talk, said: str) -> Turn:
    """Show the answer to what was *said*, then its sources, and what is odd about it, as that it is not whole.

    Raises `Failure`.
    """
    with _answer_view() as show:
        turn = talk.turn(said, show)
    click.echo()
    sources = [note["url_citation"] for note in turn.annotations if "url_citation" in note]
    if sources:
        click.echo("\nSources:")
    for source in {str(source["url"]): source for source in sources}.values():
        click.echo(text.harmless(f"- {source.get('title') or source['url']}: {source['url']}"))
    for remark in turn.remarks:
        _tell(f"({text.harmless(remark)})")
    if not turn.is_whole:
        click.echo(f"freeaichat: the answer is not whole ({turn.finish_reason or 'no reason told'})", err=True)
    return turn


def _answer_view() -> AbstractContextManager[Show]:
    """How an answer is shown: as its Markdown means it where there is colour, else as it comes."""
    if not sys.stdout.isatty():
        return nullcontext(_print)
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return nullcontext(lambda piece: _print(text.harmless(piece)))
    return _set_answer()


@contextmanager
def _set_answer() -> Iterator[Show]:
    from shared.cli.markdown import SetAnswer  # which imports rich

    with SetAnswer() as answer:
        yield answer.show


@contextmanager
def line_history(settings: Settings) -> Iterator[None]:
    """The arrow keys bring back what was typed, also in earlier sittings (kept with mode 0600)."""
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
    """The history's file, made if need be. Raises OSError."""
    path = private_dir(settings.data_dir) / HISTORY_FILE
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    return path


def _tell(line: str) -> None:
    click.secho(line, dim=True, err=True)


def _print(piece: str) -> None:
    click.echo(piece, nl=False)
