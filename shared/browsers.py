"""Finding a Chromium-family browser on this machine. Starts nothing and does not import Playwright."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Kind = Literal["headless_shell", "full"]

_ON_PATH = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "headless_shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "chrome",
    "microsoft-edge-stable",
    "microsoft-edge",
)
_ON_MAC = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
# Playwright's registry: `chromium-1255/chrome-linux64/chrome`, on a Mac inside an application bundle.
_PLAYWRIGHT_DIRECTORIES = ("chromium_headless_shell-*", "chromium-*")
_PLAYWRIGHT_PROGRAMS = (
    "*/chrome-headless-shell",
    "*/headless_shell",
    "*/chrome",
    "*/*.app/Contents/MacOS/Google Chrome for Testing",
    "*/*.app/Contents/MacOS/Chromium",
)
MEND_SETTING = "mend FREEAICHAT_BROWSER, or unset it and run `freeaichat browser install`"


class BrowserNotFound(Exception):
    """No usable browser was found: what the problem is, and what to do."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"{problem}; {advice}")
        self.problem = problem
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser's program file, what it can do, and where it was found (for people)."""

    path: Path
    kind: Kind
    found: str


def find_browser(setting: str, environment: Mapping[str, str] = os.environ, *, full_only: bool = False) -> Browser:
    """Find the first usable browser: *setting* (FREEAICHAT_BROWSER), Playwright's own, then those on the search path.

    *full_only* passes over headless shells, which cannot open a window. Raises `BrowserNotFound`, also where *setting*
    names something that is not there: another browser than the one asked for would be a surprise.
    """
    named = [_named(setting, environment)] if setting else []
    for browser in (*named, *installed_browsers(environment)):
        if browser.kind == "full" or not full_only:
            return browser
    problem = "a window needs a full browser (Chromium, Chrome or Edge), and none" if full_only else "no browser"
    hint = "install one" if full_only else "run `freeaichat browser install`"
    raise BrowserNotFound(f"{problem} was found", f"{hint}, or name one with FREEAICHAT_BROWSER")


def has_display(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether a window can be opened here."""
    if not platform.startswith("linux"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _named(setting: str, environment: Mapping[str, str]) -> Browser:
    found = shutil.which(Path(setting).expanduser(), path=environment.get("PATH"))
    if found is None:
        raise BrowserNotFound(f"FREEAICHAT_BROWSER names {setting}, which is not a program here", MEND_SETTING)
    return _browser(Path(found).absolute(), "FREEAICHAT_BROWSER")


def installed_browsers(environment: Mapping[str, str] = os.environ) -> Iterator[Browser]:
    """Yield the browsers of this machine, in the order in which they are tried."""
    for path in _playwright_programs(_registry(environment)):
        yield _browser(path, "Playwright's own")
    for name in _ON_PATH:
        if found := shutil.which(name, path=environment.get("PATH")):
            yield _browser(Path(found).absolute(), "on the search path")
    for path_on_mac in map(Path, _ON_MAC):
        if path_on_mac.is_file():
            yield _browser(path_on_mac, "among the applications")


def _browser(path: Path, found: str) -> Browser:
    names = f"{path.name} {path.resolve().name}".replace("_", "-")  # a link may have any name
    return Browser(path, "headless_shell" if "headless-shell" in names else "full", found)


def _registry(environment: Mapping[str, str]) -> Path:
    """Where Playwright keeps the browsers it downloaded."""
    named = environment.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if named == "0":
        package = find_spec("playwright")
        return Path(package.origin or "").parent / "driver/package/.local-browsers" if package else Path(os.devnull)
    if named:
        return Path(named)
    home = Path(environment.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  (there may be none)
    if sys.platform == "darwin":
        return home / "Library/Caches/ms-playwright"
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "ms-playwright"


def _playwright_programs(registry: Path) -> Iterator[Path]:
    """Programs in *registry*, headless shells first, each newest first; broken-off downloads are passed over."""
    with suppress(PermissionError):  # it is another user's, as HOME may be
        for pattern in _PLAYWRIGHT_DIRECTORIES:
            for directory in sorted(registry.glob(pattern), key=_revision, reverse=True):
                if not (directory / "INSTALLATION_COMPLETE").is_file():
                    continue
                programs = (path for program in _PLAYWRIGHT_PROGRAMS for path in directory.glob(program))
                yield from (path for path in programs if os.access(path, os.X_OK))


def _revision(directory: Path) -> int:
    digits = re.search(r"-(\d+)$", directory.name)
    return int(digits[1]) if digits else 0
