"""Exit codes, stop signals and command lines of the services."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

EXIT_FAILED = 1  # the command failed, or its answer is no; trying again may help
EXIT_STORE_UNAVAILABLE = 1  # the store cannot be used just now
EXIT_SETTINGS = 2  # settings or store cannot be used: trying again changes nothing
EXIT_VISIT_RUNNING = 3  # another visit of the site is under way
EXIT_PORT_TAKEN = 4
EXIT_ORPHANED = 3  # of a visit's process: the service that started it is gone
EXIT_KILLED_AT_ONCE = 130  # by a second Ctrl-C

FINAL_EXITS = {
    EXIT_SETTINGS: "its settings or its store cannot be used",
    EXIT_PORT_TAKEN: "its port is taken; stop what listens there or set FREEAICHAT_PORT to a free one",
}

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stop_signals() -> list[signal.Signals]:
    """Those of `STOP_SIGNALS` that this process handles: under nohup SIGHUP stays ignored."""
    return [each for each in STOP_SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]


def exec_command(command: Sequence[str]) -> NoReturn:
    """Replace this process by *command* (exec); the process id stays.

    Stop signals that arrive while it starts are blocked until it calls `unblock_signals`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    os.execv(command[0], list(command))  # noqa: S606  (our own interpreter)


def unblock_signals() -> None:
    """Unblock the stop signals, for which there are handlers now; those since `exec_command` are delivered."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs *module* with this interpreter.

    `-P` keeps the working directory off the module path: a user's own `proxy.py` is not our proxy.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def exit_text(code: int) -> str:
    """An exit code in words; *code* is minus the signal where one ended the process."""
    return f"signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"exit code {code}"
