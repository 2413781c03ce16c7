"""Killing process trees: a browser leaves its parent's process group, and may outlive it.

The processes of a visit are found by its directory, which is their TMPDIR, their working directory or on their command
line, whatever their parent is by now.
"""

import ctypes
import os
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psutil

ROUNDS = 5  # a process may have started another one while it was killed
ROUND_SECONDS = 2.0
POLL_SECONDS = 0.01
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Adopt orphaned descendants, so that they can be reaped (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_process_tree(directory: Path, *, root: psutil.Process | None = None, exclude: Collection[int] = ()) -> None:
    """Kill all processes of the visit in *directory*, *root* and all descendants; wait for their end.

    The pids in *exclude* are excluded, and so is a process that reuses the pid of *root*. Killed processes stay zombies
    until their parent reaps them: see `reap_orphans`.
    """
    for _ in range(ROUNDS):
        found = [process for process in _process_tree(directory, root) if process.pid not in exclude]
        killed = [process for process in found if _kill(process)]
        if not killed:
            return
        deadline = time.monotonic() + ROUND_SECONDS
        while any(map(_is_running, killed)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def reap_orphans(exclude: Collection[int]) -> None:
    """Reap ended children, except the pids in *exclude*, which others wait for."""
    for child in psutil.Process().children():
        if child.pid not in exclude:
            with suppress(ChildProcessError):  # it was reaped meanwhile
                os.waitpid(child.pid, os.WNOHANG)


def _process_tree(directory: Path, root: psutil.Process | None) -> set[psutil.Process]:
    found = {process for process in psutil.process_iter() if _belongs(process, str(directory))}
    if root is not None:
        found.add(root)
    return found | {child for process in found for child in _children(process)}


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _belongs(process: psutil.Process, directory: str) -> bool:
    try:
        return (
            process.environ().get("TMPDIR") == directory
            or process.cwd() == directory
            or any(word.startswith(f"--user-data-dir={directory}/") for word in process.cmdline())
        )
    except psutil.Error:  # gone meanwhile, or another user's
        return False


def _kill(process: psutil.Process) -> bool:
    """Kill *process*; returns whether it was running."""
    try:
        if not _is_running(process):
            return False
        process.kill()
    except psutil.Error:
        return False
    return True


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
