"""What the tests need beyond Python packages, how to see that it is there, and how to get it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

from shared.browsers import BrowserNotFound, find_browser
from shared.cli.install import driver_starts, find_manager, install_packages, packages_command
from tests.clients import installed, llama_server

PAGE_DIRECTORY = Path(__file__).parent / "page" / "node"
FREEAICHAT = str(Path(sys.executable).with_name("freeaichat"))
# For tests that install: what was installed is compiled when it is first used, as far as it is.
QUICK_PIP = {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a clean machine lacks."""

    name: str
    is_there: Callable[[], bool]
    install: Callable[[], None]  # gets it, or prints the exact command for a person where it may not


def _has_browser() -> bool:
    try:
        find_browser("")
    except BrowserNotFound:
        return False
    return driver_starts()


def _install_browser() -> None:
    subprocess.run((FREEAICHAT, "browser", "install"), check=False)


def _install_package(name: str) -> None:
    manager = find_manager()
    if manager is None:
        print(f"install {name} with the package manager of this system")
    elif not install_packages(manager, [(name,)]):
        print(f"{name} could not be installed; type this yourself:\n  {packages_command(manager, (name,))}", flush=True)


def program(name: str, package: str) -> Need:
    """A program on the search path, from the system's package of that name."""
    return Need(name, lambda: shutil.which(name) is not None, partial(_install_package, package))


def node_packages(name: str, directory: Path) -> Need:
    """The Node.js packages that are locked in *directory*."""
    return Need(
        name, partial(installed.has_node_packages, directory), partial(installed.install_node_packages, directory)
    )


NEEDS = (
    Need("a Chromium-family browser and what its driver needs", _has_browser, _install_browser),
    program("curl", "curl"),
    program("redis-server", "redis-server"),
    program("nginx", "nginx-light"),
    Need("the Python clients", installed.CLIENTS.is_there, installed.CLIENTS.install),
    Need("the older Python clients", installed.OLDER_CLIENTS.is_there, installed.OLDER_CLIENTS.install),
    Need("LiteLLM's proxy", installed.LITELLM_PROXY.is_there, installed.LITELLM_PROXY.install),
    Need("llama.cpp's server", llama_server.is_there, installed.LLAMA_CPP.install),
    node_packages("the Node.js clients", installed.NODE_DIRECTORY),
    node_packages("what looks whether all can use the web page", PAGE_DIRECTORY),
    program("openssl", "openssl"),
    program("certutil", "libnss3-tools"),
    program("systemd-analyze", "systemd"),
    program("ip", "iproute2"),
    program("unshare", "util-linux"),
)


def provide() -> bool:
    """Install what is missing, one line and its seconds each; False where something still is, with what to do."""
    for need in NEEDS:
        started = monotonic()
        if not need.is_there():
            print(f"{need.name}: missing", flush=True)
            need.install()
        if not need.is_there():
            print(f"{need.name}: still missing; do what is said above, and run the tests again", file=sys.stderr)
            return False
        print(f"{need.name}: there ({monotonic() - started:.1f} s)", flush=True)
    return True
