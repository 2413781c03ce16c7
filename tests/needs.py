"""What the tests need beyond Python packages, how to see that it is there, and how to get it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from shared.browsers import NoBrowser, find_browser

FREEAICHAT = str(Path(sys.executable).with_name("freeaichat"))


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a clean machine lacks."""

    name: str
    is_there: Callable[[], bool]
    install: tuple[str, ...]  # the command that gets it, which is also what to type where it may not be run


def _has_browser() -> bool:
    try:
        find_browser("")
    except NoBrowser:
        return False
    return True


def _driver_starts() -> bool:
    command = (sys.executable, "-m", "playwright", "--version")
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


NEEDS = (
    Need(
        "a Chromium-family browser, and what its driver needs",
        lambda: _has_browser() and _driver_starts(),
        (FREEAICHAT, "browser", "install"),
    ),
)


def provide() -> bool:
    """Install what is missing; False, with the command to type, where something still is."""
    for need in NEEDS:
        begun = monotonic()
        if not need.is_there():
            print(f"installing {need.name}: {' '.join(need.install)}", flush=True)
            subprocess.run(need.install, check=False)
        if not need.is_there():
            print(f"{need.name} is still missing; type this yourself: {' '.join(need.install)}", file=sys.stderr)
            return False
        print(f"{need.name}: there ({monotonic() - begun:.1f} s)", flush=True)
    return True
