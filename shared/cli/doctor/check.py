"""The result of one check of `freeaichat doctor`. Pure."""

from dataclasses import dataclass
from enum import StrEnum

import click

from shared.cli.text import sanitized


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"  # works, or may; worth knowing
    FAIL = "fail"  # has to be fixed


_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. *advice*: what to do about it; "" for nothing."""

    name: str
    level: Level
    what: str
    advice: str = ""

    def lines(self) -> list[str]:
        """The finding as lines for users."""
        first = f"{click.style(f'{self.level:<4}', fg=_COLOURS[self.level])}  {self.name:<12} {sanitized(self.what)}"
        return [first, f"{'':<18} → {sanitized(self.advice)}"] if self.advice else [first]


def ok(name: str, what: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name, Level.OK, what)


def warn(name: str, what: str, advice: str) -> Check:
    """A check that found something worth knowing."""
    return Check(name, Level.WARN, what, advice)


def fail(name: str, what: str, advice: str) -> Check:
    """A check that found something to fix."""
    return Check(name, Level.FAIL, what, advice)
