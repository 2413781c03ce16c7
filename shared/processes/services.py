"""Which command starts which part, and what the exit codes of services and commands mean."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

EXIT_FAILED = 1  # what was asked for did not succeed, or is not so; trying again may help
EXIT_STORE_AWAY = 1  # the store cannot be used just now
EXIT_SETTINGS = 2  # settings or store cannot be used: trying again changes nothing
EXIT_UNDER_WAY = 3  # another visit of the site is under way
EXIT_PORT_TAKEN = 4
EXIT_ORPHANED = 3  # of a visit's process: the service that started it is gone
EXIT_KILLED_AT_ONCE = 130  # by a second Ctrl-C

FINAL_EXITS = {
    EXIT_SETTINGS: "its settings or its store cannot be used",
    EXIT_PORT_TAKEN: "its port is taken; stop what listens there or set FREEAICHAT_PORT to a free one",
}

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stopping_signals() -> list[signal.Signals]:
    """Those of `STOPPING` that this process is to hear: nohup stays in force."""
    return [each for each in STOPPING if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]


def become(command: Sequence[str]) -> NoReturn:
    """Go on as *command*, with the process id of this one.

    A signal to stop that comes while it starts waits until it calls `hear_signals`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    os.execv(command[0], list(command))  # noqa: S606  (our own interpreter)


def hear_signals() -> None:
    """From now on take the signals to stop, for which there are handlers now, and those that came since `become`."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs *module* with this interpreter.

    `-P` keeps the working directory off the module path: a user's own `proxy.py` is not our proxy.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
