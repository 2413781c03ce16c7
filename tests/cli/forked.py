"""`freeaichat` in processes that are forked from one which has imported it: each starts in hundredths of a second.

A command has the arguments, environment, directory and standard streams that it is given, and ends as it would end by
itself. `python -m tests.cli.forked DESCRIPTOR` is the process from which they come.
"""

import atexit
import gc
import io
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import shared
from shared.cli import main as freeaichat
from tests.needs import FREEAICHAT

ROOT = Path(__file__).parents[2]
COMMAND_SECONDS = 60.0
MOST_BYTES = 128 * 1024  # of a request: arguments and environment
STARTED_WITH = dict(os.environ)  # before any test changes it: what the commands cover is measured
_servers: list[socket.socket] = []
_starting = Lock()


def run(
    *args: str | Path,
    environment: Mapping[str, str],
    cwd: Path = ROOT,
    stdin: str = "",
    seconds: float = COMMAND_SECONDS,
) -> "subprocess.CompletedProcess[str]":
    """Run `freeaichat` with *args*; what it printed and its exit code. Raises `subprocess.TimeoutExpired`."""
    command = [FREEAICHAT, *map(str, args)]
    request = json.dumps({"command": command, "environment": dict(environment), "cwd": str(cwd)}).encode()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with TemporaryFile() as given, TemporaryFile() as output, TemporaryFile() as errors, ours:
        given.write(stdin.encode())
        given.seek(0)
        with theirs:
            socket.send_fds(fork_server(), [request], [file.fileno() for file in (given, output, errors, theirs)])
        ours.settimeout(seconds)
        pid = int(ours.recv(32))
        try:
            code = int(ours.recv(32))
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, seconds) from error
        printed = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode() for file in (output, errors)]
    return subprocess.CompletedProcess(command, code, *printed)


def fork_server() -> socket.socket:
    """Where the process that forks takes requests; started by the first."""
    with _starting:
        if not _servers:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            environment = {name: value for name, value in STARTED_WITH.items() if name != "PYTHONDEVMODE"}
            with theirs:
                process = subprocess.Popen(
                    (sys.executable, "-m", "tests.cli.forked", str(theirs.fileno())),
                    env=environment | {"PYTHONWARNINGS": "default"},
                    pass_fds=(theirs.fileno(),),
                    cwd=ROOT,
                )
            atexit.register(process.wait)  # by then it has read the end of the requests
            atexit.register(ours.close)
            _servers.append(ours)
    return _servers[0]


def next_command(requests: socket.socket) -> tuple[dict[str, Any], Sequence[int]] | None:
    """In a process of its own, each request with its standard streams; in this one, None after the last."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for the commands
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, MOST_BYTES, 4)
        if not message:
            return None
        if not os.fork():
            break
        for descriptor in descriptors:
            os.close(descriptor)
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, told = descriptors
    if pid := os.fork():
        os.write(told, b"%d" % pid)
        os.write(told, b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(told)
    return json.loads(message), streams


def become(command: list[str], environment: Mapping[str, str], cwd: str, streams: Sequence[int]) -> None:
    """Give this process what the command would have started with."""
    is_same = python_settings(environment) == python_settings(os.environ)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(cwd)
    if not is_same:  # the interpreter reads them when it starts
        os.execve(command[0], command, environment)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [*command]
    sys.modules["__main__"].__package__ = None  # a script, not a module of the tests, for who shows its name
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        raw = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115
        errors = "backslashreplace" if name == "stderr" else "strict"
        setattr(sys, name, io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=number == 2))


def python_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What of *environment* the interpreter itself reads."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}


def main() -> None:
    """Import what commands use, and then be each of those that are asked for."""
    for found in pkgutil.walk_packages(shared.__path__, "shared."):
        import_module(found.name)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = next_command(requests)
    if request is None:
        return
    code = 1
    try:
        become(**request[0], streams=request[1])
        freeaichat()
        code = 0
    except SystemExit as error:
        code = exit_code(error)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()  # with what was covered
        os._exit(code)  # to take apart what it was forked with takes longer than all of it


def exit_code(error: SystemExit) -> int:
    """The exit code of a process that ends with *error*, whose message is written."""
    if isinstance(error.code, str):
        print(error.code, file=sys.stderr)
        return 1
    return int(error.code or 0)


if __name__ == "__main__":
    main()
