"""Running installers: their output is reduced to a progress line and a line for each error."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from select import select
from time import monotonic
from urllib.parse import urlsplit

import click

from shared.cli.live_line import REDRAW_SECONDS, LiveLine

ENDING_SECONDS = 5.0
MAX_FAULT = 200  # characters
LAST_LINES = 3  # shown of a program that failed without an error message

_COLOUR = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
_BAR = re.compile(r"(\d+% of [\d.]+ \w+)\s*$")
_FAULT = re.compile(r"^(?:Error: |E: |Err:\d+ |error: |sudo: )(.+)")
_SUMMARY = re.compile(r"^(?:Failed to download|Download failure)")  # by Playwright, after each of its attempts
_FROM = re.compile(r"\bfrom (https?://\S+)")


@dataclass(slots=True)
class OutputParser:
    """Parses an installer's output. Pure: `take` gets a line and returns new errors; `progress` is the last status."""

    progress: str = ""
    lines: list[str] = field(default_factory=list)
    _host: str = ""
    _reported: set[str] = field(default_factory=set)

    def take(self, raw: str) -> str | None:
        """Parse one line; returns an error message that is new, else None."""
        line = _COLOUR.sub("", raw).rstrip()
        if not line.strip():
            return None
        self.lines = [*self.lines[1 - LAST_LINES :], line]
        if found := _FROM.search(line):
            self._host = urlsplit(found[1]).netloc
        fault = _FAULT.match(line)
        if fault is None:
            if not line.startswith((" ", "}")):  # the rest of what Node prints of an error
                self.progress = bar[1] if (bar := _BAR.search(line)) else line
            return None
        return self._new_fault(fault[1])

    def _new_fault(self, fault: str) -> str | None:
        if _SUMMARY.match(fault):
            return None
        message = fault if not self._host or self._host in fault else f"{self._host}: {fault}"
        if message in self._reported:
            return None
        self._reported.add(message)
        return message[:MAX_FAULT]

    @property
    def last_lines(self) -> list[str]:
        """The last lines, where there was no error message."""
        return [] if self._reported else [line[:MAX_FAULT] for line in self.lines]


def run_installer(
    command: Sequence[str], *, seconds: float, extra: Mapping[str, str] | None = None, verbose: bool = False
) -> bool:
    """Run *command* for at most *seconds*; returns whether it succeeded. *verbose*: show all of its output."""
    click.secho(f"$ {shlex.join(command)}", dim=True)
    started = monotonic()
    stdout, stderr = (None, None) if verbose else (subprocess.PIPE, subprocess.STDOUT)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=os.environ | dict(extra or {})
        )
    except OSError as error:
        click.echo(f"  {command[0]}: {error.strerror}")
        return False
    try:
        done = process.wait(seconds) == 0 if verbose else _follow(process, started, started + seconds)
    except subprocess.TimeoutExpired:
        click.echo(f"  given up after {seconds:.0f} s")
        return False
    finally:
        _end(process)
        if process.stdout is not None:
            process.stdout.close()
    click.echo(f"  {'done' if done else 'failed'} after {monotonic() - started:.0f} s")
    return done


def _follow(process: subprocess.Popen[bytes], started: float, deadline: float) -> bool:
    """Show the output of *process* until it ends; returns whether it succeeded. Raises `subprocess.TimeoutExpired`."""
    line = LiveLine(is_shown=sys.stdout.isatty())
    reader = OutputParser()
    try:
        for line_read in _read_lines(process, deadline):
            fault = reader.take(line_read)
            if fault is not None:
                line.clear()
                click.echo(f"  {fault}")
            line.wait(reader.progress, started)
    finally:
        line.clear()
    if process.returncode:
        for last_line in reader.last_lines:
            click.echo(f"  {last_line}")
    return process.returncode == 0


def _read_lines(process: subprocess.Popen[bytes], deadline: float) -> Iterator[str]:
    """Yield each line, and "" where none came for a moment; ends with the process, even if its output is still open.

    Raises `subprocess.TimeoutExpired`.
    """
    assert process.stdout is not None  # noqa: S101  (it was asked for)
    source = process.stdout.fileno()
    rest = b""
    is_open = True
    while True:
        has_ended = process.poll() is not None
        ready = select([source], [], [], 0 if has_ended else REDRAW_SECONDS)[0] if is_open else []
        data = os.read(source, 65536) if ready else b""
        is_open = is_open and bool(data or not ready)
        *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
        if has_ended and not data:
            yield rest.decode("utf-8", "replace")
            return
        if monotonic() > deadline:
            raise subprocess.TimeoutExpired(process.args, deadline)
        if not data:
            yield ""
        if not is_open and not has_ended:
            with suppress(subprocess.TimeoutExpired):
                process.wait(REDRAW_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill *process* and its children (the driver starts a downloader of its own)."""
    if process.poll() is not None:
        return
    import psutil  # here, since what starts the services waits for this module, and hardly ever needs that

    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for child in family:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            click.echo(f"process {child.pid} belongs to root and goes on; end it yourself if it hangs", err=True)
    psutil.wait_procs(family, timeout=ENDING_SECONDS)
    process.poll()
