"""The one line in which `freeaichat doctor` ends. Pure."""

from collections.abc import Sequence

import click

from shared.cli.doctor.check import Check, Level

# What is first here makes the rest fail: it is to be mended first.
FIRST = (
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
    """Whether all is well, and where to begin if it is not."""
    failures = [finding for finding in findings if finding.level is Level.FAIL]
    warnings = [finding for finding in findings if finding.level is Level.WARN]
    if failures:
        first = min(failures, key=_rank)
        told = f"{len(failures)} of {len(findings)} checks fail ({_names(failures)}); begin with {first.name}"
        return f"{click.style('verdict', fg='red', bold=True)}: {told}: {first.mend}"
    if warnings:
        told = f"nothing fails; worth a look: {_names(warnings)}"
        return f"{click.style('verdict', fg='yellow', bold=True)}: {told}"
    return f"{click.style('verdict', fg='green', bold=True)}: all is well ({len(findings)} checks)"


def _names(findings: Sequence[Check]) -> str:
    return ", ".join(dict.fromkeys(finding.name for finding in findings))


def _rank(finding: Check) -> int:
    return FIRST.index(finding.name) if finding.name in FIRST else len(FIRST)
