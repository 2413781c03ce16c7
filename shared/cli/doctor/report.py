"""Printing what `freeaichat doctor` finds, as it is found."""

import asyncio
import json
from dataclasses import asdict

import click

from shared.cli.doctor import examine
from shared.cli.doctor.check import Check, Level
from shared.cli.failures import read_gateway, read_settings
from shared.settings import Settings


def run(*, as_json: bool) -> int:
    """Examine and print; returns the exit code. Raises `BadSettings`."""
    findings = asyncio.run(_collect(read_settings(), show=not as_json))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    return 1 if any(finding.level is Level.FAIL for finding in findings) else 0


async def _collect(settings: Settings, *, show: bool) -> list[Check]:
    findings = []
    async for finding in examine(settings, read_gateway(settings)):
        findings.append(finding)
        for line in finding.lines() if show else ():
            click.echo(line)
    return findings
