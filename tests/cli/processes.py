"""Start programs, wait for them, and find the processes they leave behind."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
WAIT_SECONDS = 20.0
END_SECONDS = 5.0  # for what is told to end; then it is killed
ROOT = Path(__file__).parents[2]
BY_HAND = {"SESSION_ID": "by-hand-0001"}  # settings with which no browser is needed


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[str]]:
    """Run *command* with its output in pipes; end it and all below it at the end."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=None if environment is None else dict(environment),
        cwd=cwd,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: "subprocess.Popen[str]") -> None:
    """Terminate *process* and its descendants if it still runs: SIGTERM first, so that it can clean up."""
    left = family(process.pid) if process.poll() is None else []
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    process.kill()
    kill_all(left)
    process.wait()


async def ended(process: asyncio.subprocess.Process, seconds: float = END_SECONDS) -> int:
    """The exit code of *process*; raises TimeoutError where it has not ended after *seconds*.

    asyncio's own `wait` may never end: it waits until the pipes are closed too, and what *process* left holds them.
    """
    async with asyncio.timeout(seconds):
        while process.returncode is None:
            await asyncio.sleep(0.01)
    return process.returncode


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill those of *processes* that still run."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
            process.kill()


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs module *name*."""
    return [sys.executable, "-m", name, *arguments]


def wait_until(question: Callable[[], T], what: str, *, seconds: float = WAIT_SECONDS) -> T:
    """The first true answer to *question*; fails the test after *seconds*."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)
    return answer


def family(pid: int) -> list[psutil.Process]:
    """The descendants of *pid*, zombies included."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def is_alive(pid: int) -> bool:
    """Whether *pid* runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pids_in(file: Path) -> list[int]:
    """The process ids that stand-ins wrote to *file* so far."""
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def program(path: Path, script: str) -> Path:
    """An executable shell script at *path*."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def clean_environment(data_dir: Path, site: str, port: int, **more: str) -> dict[str, str]:
    """An environment in which the program finds these settings and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FREEAICHAT_")}
    return environment | {
        "FREEAICHAT_ENV_FILE": os.devnull,
        "FREEAICHAT_DATA_DIR": str(data_dir),
        "FREEAICHAT_SITES": site,
        "FREEAICHAT_PORT": str(port),
        **more,
    }
