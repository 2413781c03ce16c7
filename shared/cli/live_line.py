"""A status line with a spinner at the end of a terminal's output."""

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
    """One line that is redrawn in place, without colour.

    Call `clear` before printing anything else.
    """

    def __init__(self, *, is_shown: bool) -> None:
        """*is_shown* False: draw nothing, as where standard output is no terminal."""
        self.is_shown = is_shown
        self._frames = FRAMES if "utf" in (sys.stdout.encoding or "").lower() else PLAIN_FRAMES
        self._width = 0  # of what is drawn now
        self._drawn_at = 0.0

    def draw(self, line: str) -> None:
        """Draw *line*, cut to the width of the terminal."""
        self.clear()
        if self.is_shown:
            line, self._width = _cut(line, shutil.get_terminal_size().columns - 1)
            click.echo(line, nl=False)

    def wait(self, what: str, since: float) -> None:
        """Draw the spinner with *what* is waited for, and the seconds *since* (monotonic)."""
        now = monotonic()
        if self.is_shown and now - self._drawn_at >= REDRAW_SECONDS:
            self._drawn_at = now
            frame = self._frames[int(now * FRAMES_A_SECOND) % len(self._frames)]
            self.draw(f"{frame} {now - since:.0f} s  {what}")

    def clear(self) -> None:
        """Erase the line."""
        if self._width:
            click.echo(f"\r{' ' * self._width}\r", nl=False)
            self._width = 0


def _cut(line: str, max_width: int) -> tuple[str, int]:
    """The prefix of *line* that fits into *max_width* columns, and its width."""
    width = 0
    for position, character in enumerate(line):
        columns = text.columns_of(character)
        if width + columns > max_width:
            return line[:position], width
        width += columns
    return line, width
