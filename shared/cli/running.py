"""Running other programs' installers: of what they print a person sees how far they are and what fails, a line each."""

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
LONGEST_FAULT = 200  # characters
LAST_LINES = 3  # are shown of a program that failed and named no fault

_COLOUR = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
_BAR = re.compile(r"(\d+% of [\d.]+ \w+)\s*$")
_FAULT = re.compile(r"^(?:Error: |E: |Err:\d+ |error: |sudo: )(.+)")
_TOLD_ALREADY = re.compile(r"^(?:Failed to download|Download failure)")  # by Playwright, after each of its attempts
_FROM = re.compile(r"\bfrom (https?://\S+)")


@dataclass(slots=True)
class Reader:
    """Reads a program's output. Pure: lines in; `progress` and the faults that were not told before come out."""

    progress: str = ""
    lines: list[str] = field(default_factory=list)
    _host: str = ""
    _told: set[str] = field(default_factory=set)

    def take(self, raw: str) -> str | None:
        """Read one line; what is wrong, where it tells something new that is."""
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
        return self._new(fault[1])

    def _new(self, fault: str) -> str | None:
        if _TOLD_ALREADY.match(fault):
            return None
        told = fault if not self._host or self._host in fault else f"{self._host}: {fault}"
        if told in self._told:
            return None
        self._told.add(told)
        return told[:LONGEST_FAULT]

    @property
    def last_words(self) -> list[str]:
        """What it printed last, where it told no fault."""
        return [] if self._told else [line[:LONGEST_FAULT] for line in self.lines]


def run_shown(
    command: Sequence[str], *, seconds: float, extra: Mapping[str, str] | None = None, verbose: bool = False
) -> bool:
    """Run *command* for at most *seconds*; whether it succeeded. *verbose*: all that it prints is shown."""
    click.secho(f"$ {shlex.join(command)}", dim=True)
    begun = monotonic()
    stdout, stderr = (None, None) if verbose else (subprocess.PIPE, subprocess.STDOUT)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=os.environ | dict(extra or {})
        )
    except OSError as error:
        click.echo(f"  {command[0]}: {error.strerror}")
        return False
    try:
        done = process.wait(seconds) == 0 if verbose else _followed(process, begun, begun + seconds)
    except subprocess.TimeoutExpired:
        click.echo(f"  given up after {seconds:.0f} s")
        return False
    finally:
        _end(process)
        if process.stdout is not None:
            process.stdout.close()
    click.echo(f"  {'done' if done else 'failed'} after {monotonic() - begun:.0f} s")
    return done


def _followed(process: subprocess.Popen[bytes], begun: float, deadline: float) -> bool:
    """Show what *process* prints until it ends; whether it succeeded. Raises `subprocess.TimeoutExpired`."""
    line = LiveLine(is_shown=sys.stdout.isatty())
    reader = Reader()
    try:
        for piece in _printed(process, deadline):
            fault = reader.take(piece)
            if fault is not None:
                line.clear()
                click.echo(f"  {fault}")
            line.wait(reader.progress, begun)
    finally:
        line.clear()
    if process.returncode:
        for words in reader.last_words:
            click.echo(f"  {words}")
    return process.returncode == 0


def _printed(process: subprocess.Popen[bytes], deadline: float) -> Iterator[str]:
    """Each line, and "" where none came for a moment; ends with the process, whoever still holds its output then.

    Raises `subprocess.TimeoutExpired`.
    """
    assert process.stdout is not None  # noqa: S101  (it was asked for)
    source = process.stdout.fileno()
    rest = b""
    is_open = True
    while True:
        has_ended = process.poll() is not None
        ready = select([source], [], [], 0 if has_ended else REDRAW_SECONDS)[0] if is_open else []
        piece = os.read(source, 65536) if ready else b""
        is_open = is_open and bool(piece or not ready)
        *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
        if has_ended and not piece:
            yield rest.decode("utf-8", "replace")
            return
        if monotonic() > deadline:
            raise subprocess.TimeoutExpired(process.args, deadline)
        if not piece:
            yield ""
        if not is_open and not has_ended:
            with suppress(subprocess.TimeoutExpired):
                process.wait(REDRAW_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs of *process* and its children (the driver starts a downloader of its own)."""
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
