"""What one check of `freeaichat doctor` finds. Pure."""

from dataclasses import dataclass
from enum import StrEnum

import click

from shared.cli.text import harmless


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  # works, or may; worth knowing
    FAIL = "fail"  # has to be mended


_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `mend` says what to do, and is empty where there is nothing to do."""

    name: str
    level: Level
    what: str
    mend: str = ""

    def lines(self) -> list[str]:
        """The finding for people."""
        first = f"{click.style(f'{self.level:<4}', fg=_COLOURS[self.level])}  {self.name:<12} {harmless(self.what)}"
        return [first, f"{'':<18} → {harmless(self.mend)}"] if self.mend else [first]


def ok(name: str, what: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name, Level.OK, what)


def warn(name: str, what: str, mend: str) -> Check:
    """A check that found something worth knowing."""
    return Check(name, Level.WARN, what, mend)


def fail(name: str, what: str, mend: str) -> Check:
    """A check that found something that has to be mended."""
    return Check(name, Level.FAIL, what, mend)
