"""The last line of `freeaichat doctor`. Pure."""

from collections.abc import Sequence

import click

from shared.cli.doctor.check import Check, Level

# An earlier one may cause failures of later ones.
ORDER = (
    *(
        "python",
        "settings",
        "by hand",
        "data dir",
        "inodes",
        "temp dir",
        "store drive",
        "store",
        "key",
        "proxy key",
        "port",
    ),
    *("driver", "browser", "http proxy", "authorities", "clock", "site", "credentials"),
)


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
    return ORDER.index(finding.name) if finding.name in ORDER else len(ORDER)
