"""An answer in a terminal, set as its Markdown means it, while it comes.

What is whole (a paragraph, a list, a block of code) is printed for good; the last piece, which may still change, is
drawn over until it is. rich, which does the setting, is imported here alone.
"""

from collections.abc import Iterator
from time import monotonic

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment

from shared.cli.text import harmless

DRAWN_A_SECOND = 8
LOOK_SECONDS = 0.1  # between two looks for what is whole: each reads all that is not
CODE_THEME = "ansi_dark"  # the terminal's own colours


def whole_part(text: str) -> int:
    """How many characters at the start of *text* are blocks that nothing to come can change. Pure."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    starts = [token.map[0] for token in tokens if token.map and token.level == 0 and token.nesting >= 0]
    lines = text.split("\n")  # as Markdown counts them: no other character ends a line
    return sum(len(line) + 1 for line in lines[: starts[-1]]) if len(starts) > 1 else 0


class SetAnswer:
    """Call `show` with each piece, inside a `with`; what came is set to its end on leaving."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._text = ""
        self._is_first = True
        self._begun = self._looked_at = monotonic()
        self._live = Live(
            get_renderable=lambda: self,
            console=self._console,
            refresh_per_second=DRAWN_A_SECOND,
            transient=True,
        )

    def __enter__(self) -> "SetAnswer":
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        rest, self._text = self._text, ""
        self._live.stop()
        self._print(rest)

    def show(self, piece: str) -> None:
        """Add *piece* to what is shown."""
        self._text += harmless(piece)
        now = monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        if end := whole_part(self._text):
            whole, self._text = self._text[:end], self._text[end:]
            self._print(whole)

    def _print(self, text: str) -> None:
        if not text.strip():
            return
        if not self._is_first:
            self._console.print()
        self._is_first = False
        self._console.print(_set(text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The end of what is not whole yet, as much as fits; before the first text how long it is waited for."""
        if self._text.strip():
            yield from _last_lines(self._text, console, options)
        elif self._is_first:
            yield f"[dim]… {monotonic() - self._begun:.0f} s[/dim]"


def _set(text: str) -> Markdown:
    return Markdown(text, code_theme=CODE_THEME, hyperlinks=False)  # a link's address is to be seen


def _last_lines(text: str, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
    lines = console.render_lines(_set(text), options.update(height=None), pad=False)
    for line in lines[-max(console.height - 2, 1) :]:
        yield from line
        yield Segment.line()
