"""The file to which the services log under a `freeaichat up` in a terminal, and how it is kept from growing.

The supervisor opens it as their standard error, so that it also holds what no logger wrote. Any number of processes
append to it; whoever finds it full puts it aside, and begins another for all of them.
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


def path_in(data_dir: "Path") -> "Path":
    """Where it is."""
    return data_dir / NAME


def before(path: "Path") -> "Path":
    """Where the one before *path* is."""
    return path.with_name(f"{path.name}.1")


def is_stderr(path: "Path") -> bool:
    """Whether standard error of this process goes to the file *path*."""
    try:
        return os.path.samestat(os.fstat(STDERR), path.stat())
    except OSError:
        return False


def bounded_stderr(path: "Path") -> "BoundedStream | None":
    """Standard error of this process where it goes to the file *path*, which others may have put aside since then."""
    return BoundedStream(path) if is_stderr(path) or is_stderr(before(path)) else None


class BoundedStream(io.TextIOBase):
    """Standard error, where that is the file *path*: for a `logging.StreamHandler`."""

    def __init__(self, path: "Path", max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def write(self, text: str, /) -> int:
        """Append *text*. Raises OSError."""
        os.write(STDERR, text.encode("utf-8", "backslashreplace"))
        if os.fstat(STDERR).st_size > self._max_bytes:
            self._begin_another()
        return len(text)

    def _begin_another(self) -> None:
        """Log to a new file, or to the one that another process has begun meanwhile; to this one, made empty, where
        none can be begun: the directory is gone, or the disk full."""
        fcntl.flock(STDERR, fcntl.LOCK_EX)  # of the full file: ends when it is closed, as standard error, below
        try:
            if is_stderr(self._path):
                self._path.replace(before(self._path))
            fresh = os.open(self._path, APPENDING, MODE)
        except OSError:
            os.ftruncate(STDERR, 0)
            fcntl.flock(STDERR, fcntl.LOCK_UN)  # or whoever else logs to it would wait for ever
            return
        os.dup2(fresh, STDERR)
        os.close(fresh)


def append(path: str, line: str) -> None:
    """Append *line*, and put aside a file that is full: services that end as soon as they start leave that to us.

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
    """The last lines, at most *max_bytes* of them; "" where there are none."""
    text = b""
    for file in (path, before(path)):
        if len(text) < max_bytes:
            text = _end_of(file, max_bytes - len(text)) + text
    return text.decode("utf-8", "replace")


def _end_of(file: "Path", max_bytes: int) -> bytes:
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(size - max_bytes - 1, 0))  # the byte before tells whether a line begins there
            text = opened.read(max_bytes + 1)
    except OSError:
        return b""
    return text.partition(b"\n")[2] if size > max_bytes else text  # no half line
