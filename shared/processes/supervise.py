"""The supervisor: starts the services, restarts those that die, and stops all together.

A supervisor is a process of its own and imports nothing heavy, since it stays in memory for as long as the services
run. It sleeps until a signal or a due restart wakes it, and polls nothing.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.log_file import APPENDING, MODE, STDERR, append
from shared.processes.lifeline import Lifeline
from shared.processes.services import (
    EXIT_KILLED_AT_ONCE,
    FINAL_EXITS,
    exit_text,
    module_command,
    stop_signals,
    unblock_signals,
)

FIRST_PAUSE = 0.5  # seconds before the first restart; doubles with every further one
MAX_PAUSE = 30.0  # for a service that fails by itself
MAX_PAUSE_KILLED = 4.0  # for one that somebody killed or stopped: nothing is wrong with it
STEADY_SECONDS = 60.0  # a service that ran this long starts with `FIRST_PAUSE` again
GRACE_SECONDS = 15.0  # between SIGTERM and SIGKILL
ENDING_SECONDS = 5.0  # what a proxy needs to end beyond the time that its streams are given
NICENESS = 10  # niceness of what is not restarted: the services' start matters more
LOG_FORMAT = "FREEAICHAT_LOG_FORMAT"
CLEAR_LINE = "\r\x1b[K"
SECOND_INTERRUPT_SECONDS = 0.5  # two interrupts closer than this are one, delivered twice by a wrapper

_OUTSIDE_SIGNALS = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass(frozen=True, slots=True)
class Service:
    """One child: its name in messages, its command, and whether it is restarted.

    What is not restarted is for who watches: it shares our standard error, also where the others log to a file.
    """

    name: str
    command: Sequence[str]
    is_restarted: bool = True


def proxy_services(workers: int, *options: str) -> list[Service]:
    """The proxy as *workers* processes that share one port, with more *options* of `python -m proxy`."""
    if workers == 1:
        return [Service("proxy", module_command("proxy", *options))]
    return [
        Service(f"proxy {number}", module_command("proxy", "--worker", str(number), *options))
        for number in range(1, workers + 1)
    ]


def grace_period(shutdown_timeout: float) -> float:
    """How long to wait for proxies whose streams may go on for *shutdown_timeout* seconds."""
    return max(GRACE_SECONDS, shutdown_timeout + ENDING_SECONDS)


def export_log_format(style: str) -> None:
    """Put the setting into the environment, where the supervisor finds it: it does not read `.env`."""
    os.environ[LOG_FORMAT] = style


@dataclass(slots=True)
class _Child:
    """The process of a service, which runs, ended, or is to be started again."""

    service: Service
    pid: int = 0  # 0: not running
    lifeline: Lifeline | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    start_at: float | None = 0.0  # when it is to be started; None: not at all

    def start(self, now: float, log: str) -> None:
        """Start the process; *log*: as for `supervise`. Raises OSError where the system cannot."""
        self.started_at, self.start_at = now, None
        lifeline = Lifeline()
        for descriptor in lifeline.pass_fds:
            os.set_inheritable(descriptor, True)
        try:
            self.pid = os.posix_spawn(
                self.service.command[0],
                list(self.service.command),
                os.environ | lifeline.environment,
                file_actions=_files(log if self.service.is_restarted else ""),
                setpgroup=0,  # the terminal's Ctrl-C reaches the supervisor alone, which then stops all in order
            )
        except OSError:
            lifeline.stop()
            raise
        finally:
            lifeline.close_child_end()
        self.lifeline = lifeline
        if not self.service.is_restarted:
            with suppress(OSError):  # it ended already
                os.setpriority(os.PRIO_PROCESS, self.pid, NICENESS)

    def terminate(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill the process group."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # an empty group; macOS says the latter of zombies
            return

    def ended(self) -> None:
        self.kill_group()
        if self.lifeline is not None:
            self.lifeline.stop()
        self.pid, self.lifeline = 0, None


@dataclass(slots=True)
class _Supervisor:
    """The loop of `supervise`."""

    children: list[_Child]
    grace: float  # seconds between SIGTERM and SIGKILL
    wakeup: int  # descriptor from which the numbers of signals are read
    log: str
    exit_code: int = 0  # when all have ended
    stopping_since: float | None = None  # monotonic; None: not stopping

    def run(self) -> int:
        while True:
            now = time.monotonic()
            self.start_due(now)
            if self.stopping_since is not None and not any(child.pid for child in self.children):
                return self.exit_code
            ready, _, _ = select.select([self.wakeup], [], [], self.seconds_to_next(now))
            for number in os.read(self.wakeup, 1024) if ready else b"":
                self.on_signal(number)
            self.reap()
            self.kill_overdue()

    def start_due(self, now: float) -> None:
        for child in self.children:
            if child.start_at is None or child.start_at > now:
                continue
            try:
                child.start(now, self.log)
            except OSError as error:
                self.start_again(child, f"cannot be started ({error.strerror})", MAX_PAUSE)

    def seconds_to_next(self, now: float) -> float | None:
        """How long nothing is due; None: until a signal comes."""
        if self.stopping_since is not None:
            return max(self.stopping_since + self.grace - now, 0.0)
        due = [child.start_at for child in self.children if child.start_at is not None]
        return max(min(due) - now, 0.0) if due else None

    def on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            return
        now = time.monotonic()
        if self.stopping_since is None:
            if self.log:
                self.say("stopping; Ctrl-C again ends everything at once")
            self.stop(0)
        elif number == signal.SIGINT and now - self.stopping_since >= SECOND_INTERRUPT_SECONDS:
            self.exit_code = EXIT_KILLED_AT_ONCE
            self.stopping_since = now - self.grace

    def stop(self, exit_code: int) -> None:
        self.exit_code, self.stopping_since = exit_code, time.monotonic()
        for child in self.children:
            child.start_at = None
            child.terminate()

    def kill_overdue(self) -> None:
        if self.stopping_since is None or time.monotonic() < self.stopping_since + self.grace:
            return
        for child in self.children:
            if child.pid:
                child.kill_group()
        self.stopping_since = time.monotonic()  # what was killed ends at once; wait for it without a busy loop

    def reap(self) -> None:
        """Wait for every child that has ended, adopted ones too: in a container this may be process 1."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = next((each for each in self.children if each.pid == pid), None)
            if child is not None:
                child.ended()
                self.after_end(child, os.waitstatus_to_exitcode(status))

    def after_end(self, child: _Child, code: int) -> None:
        """Decide what follows the end of *child*; *code* is its exit code, or minus the signal that killed it."""
        name = child.service.name
        if self.stopping_since is not None:
            return
        if not child.service.is_restarted:
            if code:
                self.say(f"{name} ended ({exit_text(code)}); the services go on")
        elif code in FINAL_EXITS:
            where = f" (its own message stands in {self.log})" if self.log else " (its own message stands above)"
            self.say(f"{name} cannot run: {FINAL_EXITS[code]}{where}; stopping")
            self.stop(code)
        else:
            was_stopped = code == 0 or -code in _OUTSIDE_SIGNALS
            self.start_again(child, f"ended ({exit_text(code)})", MAX_PAUSE_KILLED if was_stopped else MAX_PAUSE)

    def start_again(self, child: _Child, reason: str, max_pause: float) -> None:
        now = time.monotonic()
        if now - child.started_at >= STEADY_SECONDS:
            child.pause = FIRST_PAUSE
        pause = min(child.pause, max_pause)
        child.pause *= 2
        child.start_at = now + pause
        self.say(f"{child.service.name} {reason}; starting it again in {pause:g} s")

    def say(self, text: str) -> None:
        """Write *text* to standard error, and to the log if there is one."""
        is_json = os.environ.get(LOG_FORMAT) == "json"
        start = CLEAR_LINE if self.log else ""  # what the progress display has drawn there
        with suppress(OSError):  # the terminal is gone; the services are not
            said = _json(text) if is_json and not self.log else f"{start}freeaichat: {text}"
            print(said, file=sys.stderr, flush=True)  # noqa: T201
        if self.log:
            with suppress(OSError):  # the disk is full, or the file's directory gone; the services are not
                line = _json(text) if is_json else f"{time.strftime('%Y-%m-%d %H:%M:%S')} INFO    up        {text}"
                append(self.log, f"{line}\n")


def supervise(services: Sequence[Service], *, grace: float, log: str = "") -> int:
    """Run *services* until a signal ends them all; returns the exit code for this process.

    *grace*: seconds between SIGTERM and SIGKILL. *log*: the file to which services log while a person watches this
    terminal; "": all log to standard error.

    The exit code is 0 after SIGINT, SIGTERM or SIGHUP, the service's own where it ended with one of `FINAL_EXITS`, and
    130 when a second Ctrl-C killed them. Call it in the main thread, once.
    """
    wakeup, signalled = os.pipe()
    os.set_blocking(signalled, False)
    signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)  # a full pipe wakes as well as one byte
    for number in (*stop_signals(), signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    unblock_signals()
    return _Supervisor([_Child(service) for service in services], grace, wakeup, log).run()


def _files(log: str) -> list[tuple[int, int, str, int, int]]:
    """The file actions of `posix_spawn` for a child."""
    nothing_to_read = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    return [nothing_to_read, (os.POSIX_SPAWN_OPEN, STDERR, log, APPENDING, MODE)] if log else [nothing_to_read]


def _json(text: str) -> str:
    """A line of the log as the services write theirs where FREEAICHAT_LOG_FORMAT is `json`."""
    import json  # hardly any supervisor needs it

    moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    line = {"time": moment, "level": "info", "service": "up", "logger": __name__, "message": text}
    return json.dumps(line, ensure_ascii=False)
