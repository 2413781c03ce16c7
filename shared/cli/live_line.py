"""The line at the end of what a terminal shows that tells what is waited for, while it is waited for."""

import shutil
import sys
from time import monotonic

import click

from shared.cli import text

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_FRAMES = "|/-\\"  # where the terminal knows no others
FRAMES_A_SECOND = 10
REDRAW_SECONDS = 1 / FRAMES_A_SECOND  # oftener, nobody sees it


class LiveLine:
    """One line, drawn over again and again. Plain characters: no colour in it.

    Whoever prints anything else calls `clear` first.
    """

    def __init__(self, *, is_shown: bool) -> None:
        """*is_shown* False: nothing is ever drawn, as where standard output is no terminal."""
        self.is_shown = is_shown
        self._frames = FRAMES if "utf" in (sys.stdout.encoding or "").lower() else PLAIN_FRAMES
        self._width = 0  # of what is drawn now
        self._drawn_at = 0.0

    def draw(self, line: str) -> None:
        """Show *line*, as much of it as the terminal is wide."""
        self.clear()
        if self.is_shown:
            line, self._width = _cut(line, shutil.get_terminal_size().columns - 1)
            click.echo(line, nl=False)

    def wait(self, what: str, since: float) -> None:
        """Show that *what* is waited for, *since* that reading of the monotonic clock."""
        now = monotonic()
        if self.is_shown and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            frame = self._frames[int(now * FRAMES_A_SECOND) % len(self._frames)]
            self.draw(f"{frame} {now - since:.0f} s  {what}")

    def clear(self) -> None:
        """Take the line away, so that others can be printed."""
        if self._width:
            click.echo(f"\r{' ' * self._width}\r", nl=False)
            self._width = 0


def _cut(line: str, room: int) -> tuple[str, int]:
    """The beginning of *line* that fits into *room* places, and how many it takes."""
    width = 0
    for position, character in enumerate(line):
        places = text.places(character)
        if width + places > room:
            return line[:position], width
        width += places
    return line, width
