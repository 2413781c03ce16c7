"""Run programs in a pseudo-terminal: read the screen and type keys."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from time import monotonic

from tests.cli.processes import ROOT, end

WAIT_SECONDS = 30.0
ENTER, CTRL_C, CTRL_D, UP = "\r", "\x03", "\x04", "\x1b[A"
_COMMANDS = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Terminal:
    """A program whose standard streams are a pseudo-terminal."""

    def __init__(self, process: "subprocess.Popen[str]", parent_fd: int) -> None:
        self.process = process
        self._fd = parent_fd
        self._read_so_far = b""
        self.is_open = True

    @property
    def raw(self) -> str:
        """All that was shown, with every terminal command."""
        return self._read_so_far.decode("utf-8", "replace")

    @property
    def shown(self) -> str:
        """What was shown, without colours and cursor movements."""
        return _COMMANDS.sub("", self.raw)

    @property
    def left(self) -> list[str]:
        """The final lines on the screen; of a line drawn over, the last state."""
        return [line.rstrip("\r").rpartition("\r")[2] for line in self.shown.split("\n")]

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._fd, text.encode())

    def wait_for(self, text: str, *, after: int = 0) -> int:
        """Wait until *text* is shown, *after* that many characters; how many had been shown then."""
        deadline = monotonic() + WAIT_SECONDS
        while (found := self.shown.find(text, after)) < 0:
            assert self.is_open, f"ended without {text!r}:\n{self.shown}"
            assert monotonic() < deadline, f"waited in vain for {text!r}:\n{self.shown}"
            self._read(0.1)
        return found + len(text)

    def wait(self) -> int:
        """Wait for the end; the exit code."""
        deadline = monotonic() + WAIT_SECONDS
        while self.is_open:
            assert monotonic() < deadline, f"does not end:\n{self.shown}"
            self._read(0.1)
        return self.process.wait(WAIT_SECONDS)

    def _read(self, seconds: float) -> None:
        if not select([self._fd], [], [], seconds)[0]:
            return
        piece = b""
        with suppress(OSError):  # which a terminal gives at its end
            piece = os.read(self._fd, 65536)
        self.is_open = bool(piece)
        self._read_so_far += piece


def _take_terminal() -> None:
    """In the new process: the terminal's Ctrl-C is to reach it, also where the tests run in a shell's background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def terminal(
    command: Sequence[str], environment: Mapping[str, str], *, cwd: Path = ROOT, size: tuple[int, int] = (40, 120)
) -> Iterator[Terminal]:
    """Run *command* in a terminal of *size* (lines, columns); it is ended at the end."""
    parent_fd, child_fd = pty.openpty()
    fcntl.ioctl(child_fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    with subprocess.Popen(
        command,
        env={"TERM": "xterm-256color", **environment},
        cwd=cwd,
        stdin=child_fd,
        stdout=child_fd,
        stderr=child_fd,
        text=True,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509
    ) as process:
        os.close(child_fd)
        try:
            yield Terminal(process, parent_fd)
        finally:
            end(process)
            os.close(parent_fd)
