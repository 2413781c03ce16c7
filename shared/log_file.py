"""The log file of the services under a `freeaichat up` in a terminal, and its rotation.

The supervisor opens it as their standard error, so that it also holds what no logger wrote. Any number of processes
append to it; the one that finds it full renames it, and opens a new one for all of them.
"""

import fcntl
import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path  # the supervisor, which has to stay small, imports this module

NAME = "freeaichat.log"  # in the data directory
MAX_BYTES = 5 * 1024**2  # and as much again in the one before
STDERR = 2
MODE = 0o600
APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT


def log_path(data_dir: "Path") -> "Path":
    """The path of the log file."""
    return data_dir / NAME


def rotated_path(path: "Path") -> "Path":
    """The path to which *path* is renamed when it is full."""
    return path.with_name(f"{path.name}.1")


def is_stderr(path: "Path") -> bool:
    """Whether standard error of this process goes to the file *path*."""
    try:
        return os.path.samestat(os.fstat(STDERR), path.stat())
    except OSError:
        return False


def rotating_stderr(path: "Path") -> "RotatingStream | None":
    """A rotating stream where standard error goes to *path*, even if others have rotated that since; else None."""
    return RotatingStream(path) if is_stderr(path) or is_stderr(rotated_path(path)) else None


class RotatingStream(io.TextIOBase):
    """Standard error as a rotating log file at *path*, for a `logging.StreamHandler`."""

    def __init__(self, path: "Path", max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def write(self, text: str, /) -> int:
        """Append *text*. Raises OSError."""
        os.write(STDERR, text.encode("utf-8", "backslashreplace"))
        if os.fstat(STDERR).st_size > self._max_bytes:
            self._rotate()
        return len(text)

    def _rotate(self) -> None:
        """Switch to a new file, or to the one that another process has opened meanwhile. Where none can be opened (the
        directory is gone, the disk full) truncate this one."""
        fcntl.flock(STDERR, fcntl.LOCK_EX)  # of the full file: ends when it is closed, as standard error, below
        try:
            if is_stderr(self._path):
                self._path.replace(rotated_path(self._path))
            fresh = os.open(self._path, APPENDING, MODE)
        except OSError:
            os.ftruncate(STDERR, 0)
            fcntl.flock(STDERR, fcntl.LOCK_UN)  # or whoever else logs to it would wait for ever
            return
        os.dup2(fresh, STDERR)
        os.close(fresh)


def append(path: str, line: str) -> None:
    """Append *line*, and rotate the file if it is full: services that end as soon as they start leave that to us.

    Raises OSError.
    """
    file = os.open(path, APPENDING, MODE)
    try:
        os.write(file, line.encode())
        if os.fstat(file).st_size > MAX_BYTES:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file), os.stat(path)):  # noqa: PTH116  (the supervisor stays without pathlib)
                os.replace(path, f"{path}.1")  # noqa: PTH105
    finally:
        os.close(file)


def tail(path: "Path", max_bytes: int) -> str:
    """The last whole lines, at most *max_bytes*; "" where there are none."""
    text = b""
    for file in (path, rotated_path(path)):
        if len(text) < max_bytes:
            text = _end_of(file, max_bytes - len(text)) + text
    return text.decode("utf-8", "replace")


def _end_of(file: "Path", max_bytes: int) -> bytes:
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(size - max_bytes - 1, 0))  # the byte before shows whether a line starts there
            text = opened.read(max_bytes + 1)
    except OSError:
        return b""
    return text.partition(b"\n")[2] if size > max_bytes else text  # no half line
