"""Printing what `freeaichat doctor` finds, as it is found."""

import asyncio
import json
import sys
from dataclasses import asdict

import click

from shared.cli.doctor import examine
from shared.cli.doctor.check import Check, Level
from shared.cli.failures import read_gateway, read_settings
from shared.cli.text import ProgressBar
from shared.processes.services import EXIT_FAILED
from shared.settings import Settings


def run(*, as_json: bool) -> int:
    """Examine and print; returns the exit code. Raises `BadSettings`."""
    findings = asyncio.run(_collect(read_settings(), show=not as_json))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    return EXIT_FAILED if any(finding.level is Level.FAIL for finding in findings) else 0


async def _collect(settings: Settings, *, show: bool) -> list[Check]:
    bar = ProgressBar(is_shown=show and sys.stdout.isatty())
    findings = []
    async for finding in examine(settings, read_gateway(settings), progress=bar.draw):
        findings.append(finding)
        if show:
            bar.clear()
            click.echo("\n".join(finding.lines()))
    bar.clear()
    return findings
