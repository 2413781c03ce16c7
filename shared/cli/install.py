"""Installing a browser: Playwright's download, else the system's package manager.

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

from shared.cli.run_installer import run_installer
from shared.processes.services import module_command

DOWNLOAD_SECONDS = 300.0
PACKAGES_SECONDS = 900.0  # a slow mirror is slow for a whole browser
CONNECTION_MILLISECONDS = 10_000  # Playwright's own wait for each host it downloads from
START_SECONDS = 20.0
MAX_SHOWN = 200  # characters of a program's output

DOWNLOAD = module_command("playwright", "install", "--only-shell", "chromium")
DRIVER_CHECK = module_command("playwright", "--version")
_MISSING_LIBRARY = re.compile(r"(\S+\.so[.\d]*): cannot open shared object file")


@dataclass(frozen=True, slots=True)
class PackageManager:
    """A system's package manager: what to run first, how to install, and which packages to try in turn."""

    program: str
    install: tuple[str, ...]
    browsers: tuple[tuple[str, ...], ...]
    update: tuple[str, ...] = ()
    needs_root: bool = True
    libatomic: tuple[str, ...] = ()  # Playwright's driver needs it, and a minimal system lacks it


MANAGERS = (
    PackageManager(
        "apt-get",
        ("apt-get", "install", "-y", "--no-install-recommends"),
        (("chromium-headless-shell", "libatomic1"), ("chromium", "libatomic1")),
        update=("apt-get", "update"),
        libatomic=("libatomic1",),
    ),
    PackageManager("dnf", ("dnf", "install", "-y"), (("chromium",),), libatomic=("libatomic",)),
    PackageManager("pacman", ("pacman", "-Sy", "--noconfirm", "--needed"), (("chromium",),)),
    PackageManager("apk", ("apk", "add", "--no-cache"), (("chromium",),), libatomic=("libatomic",)),
    PackageManager("brew", ("brew", "install", "--cask"), (("google-chrome",),), needs_root=False),
)


def find_manager() -> PackageManager | None:
    """The package manager of this system, if it is one we know."""
    return next((manager for manager in MANAGERS if shutil.which(manager.program)), None)


def root_prefix(manager: PackageManager, user: int) -> tuple[str, ...] | None:
    """The prefix of the manager's commands for *user* (0: root); None where root rights need a password."""
    if not manager.needs_root or user == 0:
        return ()
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return ("sudo", "-n") if allowed.returncode == 0 else None


def download(*, verbose: bool = False) -> bool:
    """Let Playwright download its headless shell; returns whether it did."""
    return run_installer(
        DOWNLOAD,
        seconds=DOWNLOAD_SECONDS,
        extra={"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(CONNECTION_MILLISECONDS)},
        verbose=verbose,
    )


def install_packages(manager: PackageManager, choices: Sequence[Sequence[str]], *, verbose: bool = False) -> bool:
    """Install the first of *choices* that is available; returns whether one was. Never asks the user."""
    prefix = root_prefix(manager, os.geteuid())
    if prefix is None:
        return False
    environment = ("env", "DEBIAN_FRONTEND=noninteractive")
    if manager.update and not run_installer((*prefix, *manager.update), seconds=PACKAGES_SECONDS, verbose=verbose):
        click.echo("the package lists could not be renewed; going on with the old ones")
    return any(
        run_installer((*prefix, *environment, *manager.install, *packages), seconds=PACKAGES_SECONDS, verbose=verbose)
        for packages in choices
    )


def manual_command(*, only_driver: bool = False) -> str:
    """The command for a user to run where we cannot."""
    manager = find_manager()
    if manager is None or (only_driver and not manager.libatomic):
        return shlex.join((sys.executable, "-m", "playwright", "install", "--with-deps", "--only-shell", "chromium"))
    return packages_command(manager, manager.libatomic if only_driver else manager.browsers[0])


def packages_command(manager: PackageManager, packages: Sequence[str]) -> str:
    """The command for a user to install *packages*."""
    prefix = ("sudo",) if manager.needs_root and os.geteuid() != 0 else ()
    commands = [(*prefix, *manager.install, *packages)]
    if manager.update:
        commands.insert(0, (*prefix, *manager.update))
    return " && ".join(map(shlex.join, commands))


def driver_starts() -> bool:
    """Whether Playwright's driver starts."""
    problem, _ = try_start(DRIVER_CHECK)
    return not problem


def try_start(command: Sequence[str]) -> tuple[str, str]:
    """Run *command*; returns what is wrong ("": nothing), and the first line of its output."""
    try:
        process = subprocess.run(
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
    if process.returncode == 0:
        return "", next(iter(process.stdout.strip().splitlines()), "")
    missing = _MISSING_LIBRARY.findall(process.stderr)
    if missing:
        return f"{', '.join(dict.fromkeys(missing))} is missing", ""
    last = next(iter(process.stderr.strip().splitlines()[-1:]), "")
    return f"exit code {process.returncode} {last[:MAX_SHOWN]}".strip(), ""
