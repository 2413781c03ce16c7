"""Printing what `freeaichat doctor` finds, as it is found, and the verdict."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from shared.cli.doctor.check import Check, Level, verdict
from shared.cli.doctor.run_checks import run_checks
from shared.cli.failures import Failure, read_settings
from shared.cli.gateway import Gateway, gateway_from
from shared.cli.live_line import LiveLine
from shared.cli.master_key import readable_key
from shared.processes.services import EXIT_FAILED
from shared.settings import Settings

MAX_PENDING_SHOWN = 3


def run(*, as_json: bool, bundle: Path | None = None) -> int:
    """Run and print the checks, and write the file *bundle* if given; returns the exit code. Raises `Failure`."""
    if bundle is not None and bundle.exists():  # before a minute is spent on it
        raise Failure(f"{bundle} is there already; name another file")
    if bundle is not None and not bundle.parent.is_dir():
        raise Failure(f"{bundle} cannot be written: there is no directory {bundle.parent}")
    settings = read_settings()
    gateway = gateway_from(settings, readable_key(settings))
    findings = asyncio.run(_collect(settings, gateway, show=not as_json))
    if bundle is not None:
        _write_bundle(settings, gateway, findings, bundle, show=not as_json)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        click.echo(verdict(findings))
    return EXIT_FAILED if any(finding.level is Level.FAIL for finding in findings) else 0


async def _collect(settings: Settings, gateway: Gateway, *, show: bool) -> list[Check]:
    bar = LiveLine(is_shown=show and sys.stdout.isatty())
    findings: list[Check] = []
    total = 0
    async for found, pending in run_checks(settings, gateway):
        findings += found
        total = total or len(pending)
        bar.clear()
        for finding in found if show else ():
            click.echo("\n".join(finding.lines()))
        if pending:
            bar.draw(_progress(total - len(pending), pending))
    return findings


def _progress(done: int, pending: Sequence[str]) -> str:
    names = ", ".join(pending[:MAX_PENDING_SHOWN]) + (" …" if len(pending) > MAX_PENDING_SHOWN else "")
    return f"[{'#' * done}{'.' * len(pending)}] {done} of {done + len(pending)}: {names}"


def _write_bundle(settings: Settings, gateway: Gateway, findings: Sequence[Check], target: Path, *, show: bool) -> None:
    from shared.cli.doctor.bundle import make_bundle

    size = asyncio.run(make_bundle(settings, gateway, findings, target))
    summary = f"{target}: {size / 1024:.0f} KiB, without secrets; look through it before you attach it to a bug report"
    click.echo(summary, err=not show)
