"""Rendering of a streamed Markdown answer in a terminal, by rich, which only this module imports.

Complete blocks (a paragraph, a list, a code block) are printed for good; the last one, which may still change, is
redrawn until it is complete.
"""

from collections.abc import Iterator
from time import monotonic

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

from shared.cli.text import sanitized

REDRAWS_PER_SECOND = 8
PARSE_SECONDS = 0.1  # between two parses of the incomplete rest
CODE_THEME = "ansi_dark"  # the terminal's own colours


def complete_length(text: str) -> int:
    """The length of the prefix of *text* whose blocks no later text can change. Pure."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    starts = [token.map[0] for token in tokens if token.map and token.level == 0 and token.nesting >= 0]
    lines = text.split("\n")  # as Markdown counts them: no other character ends a line
    return sum(len(line) + 1 for line in lines[: starts[-1]]) if len(starts) > 1 else 0


class MarkdownStream:
    """Renders the text passed to `show`, inside a `with`; leaving prints the rest."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._text = ""
        self._is_first = True
        self._started = self._parsed_at = monotonic()
        self._live = Live(
            get_renderable=lambda: self,
            console=self._console,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> "MarkdownStream":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        rest, self._text = self._text, ""
        self._live.stop()
        self._print(rest)

    def show(self, delta: str) -> None:
        """Append *delta*."""
        self._text += sanitized(delta)
        now = monotonic()
        if now - self._parsed_at < PARSE_SECONDS:
            return
        self._parsed_at = now
        if end := complete_length(self._text):
            complete, self._text = self._text[:end], self._text[end:]
            self._print(complete)

    def _print(self, text: str) -> None:
        if not text.strip():
            return
        if not self._is_first:
            self._console.print()
        self._is_first = False
        self._console.print(_rendered(text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The end of the incomplete rest, as much as fits; before the first text the seconds waited."""
        if self._text.strip():
            yield from _last_lines(self._text, console, options)
        elif self._is_first:
            yield f"[dim]… {monotonic() - self._started:.0f} s[/dim]"


def _rendered(text: str) -> Markdown:
    return Markdown(text, code_theme=CODE_THEME, hyperlinks=False)  # a link's address is to be seen


def _last_lines(text: str, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
    lines = console.render_lines(_rendered(text), options.update(height=None), pad=False)
    for line in lines[-max(console.height - 2, 1) :]:
        yield from line
        yield Segment.line()
