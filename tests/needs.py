"""What the tests need beyond Python packages, how to see that it is there, and how to get it."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from shared.browsers import NoBrowser, find_browser
from shared.cli.install import driver_starts

FREEAICHAT = str(Path(sys.executable).with_name("freeaichat"))


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a clean machine lacks."""

    name: str
    is_there: Callable[[], bool]
    install: tuple[str, ...]  # gets it, or prints the exact command for a person where it may not


def _has_browser() -> bool:
    try:
        find_browser("")
    except NoBrowser:
        return False
    return True


NEEDS = (
    Need(
        "a Chromium-family browser, and what its driver needs",
        lambda: _has_browser() and driver_starts(),
        (FREEAICHAT, "browser", "install"),
    ),
)


def provide() -> bool:
    """Install what is missing, one line and its seconds each; False where something still is, with what to do."""
    for need in NEEDS:
        begun = monotonic()
        if not need.is_there():
            print(f"{need.name}: missing; running {shlex.join(need.install)}", flush=True)
            subprocess.run(need.install, check=False)
        if not need.is_there():
            print(f"{need.name}: missing; do what is said above, and run the tests again", file=sys.stderr)
            return False
        print(f"{need.name}: there ({monotonic() - begun:.1f} s)", flush=True)
    return True
