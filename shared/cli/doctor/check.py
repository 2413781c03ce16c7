"""The results of the checks of `freeaichat doctor`, and the verdict on them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import click

from shared.cli.text import sanitized


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"  # works, or may; worth knowing
    FAIL = "fail"  # has to be fixed


# The names of the checks: an earlier one may cause failures of later ones.
_ORDER = (
    *("python", "settings", "by hand", "data dir", "inodes", "temp dir", "store drive", "store", "key"),
    *("proxy key", "port", "driver", "browser", "http proxy", "authorities", "clock", "site", "credentials"),
)
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


def verdict(findings: Sequence[Check]) -> str:
    """Whether all checks pass, and which failure to fix first."""
    failures = [finding for finding in findings if finding.level is Level.FAIL]
    warnings = [finding for finding in findings if finding.level is Level.WARN]
    if failures:
        first = min(failures, key=_rank)
        summary = f"{len(failures)} of {len(findings)} checks fail ({_names(failures)}); begin with {first.name}"
        return f"{click.style('verdict', fg='red', bold=True)}: {summary}: {first.advice}"
    if warnings:
        summary = f"nothing fails; worth a look: {_names(warnings)}"
        return f"{click.style('verdict', fg='yellow', bold=True)}: {summary}"
    return f"{click.style('verdict', fg='green', bold=True)}: all is well ({len(findings)} checks)"


def _names(findings: Sequence[Check]) -> str:
    return ", ".join(dict.fromkeys(finding.name for finding in findings))


def _rank(finding: Check) -> int:
    return _ORDER.index(finding.name) if finding.name in _ORDER else len(_ORDER)
