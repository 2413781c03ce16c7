"""Getting a browser where there is none: Playwright's own download, else the system's package manager.

Everything runs in the terminal's own process group, so that its Ctrl-C ends it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from shared.cli.running import run_shown
from shared.processes.services import module_command

DOWNLOAD_SECONDS = 300.0
PACKAGES_SECONDS = 900.0  # a slow mirror is slow for a whole browser
CONNECTION_MILLISECONDS = 10_000  # Playwright's own wait for each host it downloads from
START_SECONDS = 20.0
MAX_SHOWN = 200  # characters of what a program said

DOWNLOAD = module_command("playwright", "install", "--only-shell", "chromium")
DRIVER_CHECK = module_command("playwright", "--version")
_MISSING_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


@dataclass(frozen=True, slots=True)
class Manager:
    """A system's package manager: what to run first, how to install, and which packages to try in turn."""

    program: str
    install: tuple[str, ...]
    browsers: tuple[tuple[str, ...], ...]
    update: tuple[str, ...] = ()
    needs_root: bool = True
    libatomic: tuple[str, ...] = ()  # Playwright's driver needs it, and a minimal system lacks it


MANAGERS = (
    Manager(
        "apt-get",
        ("apt-get", "install", "-y", "--no-install-recommends"),
        (("chromium-headless-shell", "libatomic1"), ("chromium", "libatomic1")),
        update=("apt-get", "update"),
        libatomic=("libatomic1",),
    ),
    Manager("dnf", ("dnf", "install", "-y"), (("chromium",),), libatomic=("libatomic",)),
    Manager("pacman", ("pacman", "-Sy", "--noconfirm", "--needed"), (("chromium",),)),
    Manager("apk", ("apk", "add", "--no-cache"), (("chromium",),), libatomic=("libatomic",)),
    Manager("brew", ("brew", "install", "--cask"), (("google-chrome",),), needs_root=False),
)


def find_manager() -> Manager | None:
    """The package manager of this system, if it is one we know."""
    return next((manager for manager in MANAGERS if shutil.which(manager.program)), None)


def privilege(manager: Manager, user: int) -> tuple[str, ...] | None:
    """What has to stand before the manager's commands for *user* (0: root); None where it may not be used unasked."""
    if not manager.needs_root or user == 0:
        return ()
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return ("sudo", "-n") if allowed.returncode == 0 else None


def download(*, verbose: bool = False) -> bool:
    """Let Playwright download its own headless shell; whether it did."""
    return run_shown(
        DOWNLOAD,
        seconds=DOWNLOAD_SECONDS,
        extra={"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(CONNECTION_MILLISECONDS)},
        verbose=verbose,
    )


def install_packages(manager: Manager, choices: Sequence[Sequence[str]], *, verbose: bool = False) -> bool:
    """Install the first of *choices* that can be had; whether one could. Nothing is asked of the user."""
    prefix = privilege(manager, os.geteuid())
    if prefix is None:
        return False
    environment = ("env", "DEBIAN_FRONTEND=noninteractive")
    if manager.update and not run_shown((*prefix, *manager.update), seconds=PACKAGES_SECONDS, verbose=verbose):
        click.echo("the package lists could not be renewed; going on with the old ones")
    return any(
        run_shown((*prefix, *environment, *manager.install, *packages), seconds=PACKAGES_SECONDS, verbose=verbose)
        for packages in choices
    )


def manual_command(*, only_driver: bool = False) -> str:
    """The exact command for a person to type, where we may not or could not do it."""
    manager = find_manager()
    if manager is None or (only_driver and not manager.libatomic):
        return shlex.join((sys.executable, "-m", "playwright", "install", "--with-deps", "--only-shell", "chromium"))
    return packages_command(manager, manager.libatomic if only_driver else manager.browsers[0])


def packages_command(manager: Manager, packages: Sequence[str]) -> str:
    """The exact command for a person to install *packages*."""
    prefix = ("sudo",) if manager.needs_root and os.geteuid() != 0 else ()
    commands = [(*prefix, *manager.install, *packages)]
    if manager.update:
        commands.insert(0, (*prefix, *manager.update))
    return " && ".join(map(shlex.join, commands))


def driver_starts() -> bool:
    """Whether Playwright's driver, which moves the browser, can be started here."""
    problem, _ = try_start(DRIVER_CHECK)
    return not problem


def try_start(command: Sequence[str]) -> tuple[str, str]:
    """Run *command* to its end: what is wrong ("": nothing), and the first line it printed."""
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",  # a browser may say it in another encoding than ours
            stdin=subprocess.DEVNULL,
            timeout=START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {START_SECONDS:.0f} s", ""
    except OSError as error:
        return error.strerror or type(error).__name__, ""
    if answer.returncode == 0:
        return "", next(iter(answer.stdout.strip().splitlines()), "")
    missing = _MISSING_LIBRARY.findall(answer.stderr)
    if missing:
        return f"{', '.join(dict.fromkeys(missing))} is missing", ""
    last = next(iter(answer.stderr.strip().splitlines()[-1:]), "")
    return f"exit code {answer.returncode} {last[:MAX_SHOWN]}".strip(), ""
