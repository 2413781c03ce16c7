"""Finding a browser, with stand-in programs in directories of the tests' own."""

import os
from pathlib import Path

import pytest

from shared.browsers import BrowserNotFound, find_browser, has_display

OWN_SHELL = "chromium_headless_shell-{}/chrome-headless-shell-linux64/chrome-headless-shell"
OWN_FULL = "chromium-{}/chrome-linux64/chrome"


def program(path: Path) -> Path:
    """An executable file at *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without any browser."""
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path / "home")}


def downloaded(machine: dict[str, str], name: str, *, is_complete: bool = True) -> Path:
    """A browser as Playwright downloads it."""
    registry = Path(machine["HOME"]) / ".cache/ms-playwright"
    if is_complete:
        directory = registry / name.partition("/")[0]
        directory.mkdir(parents=True)
        (directory / "INSTALLATION_COMPLETE").touch()
    return program(registry / name)


def installed(machine: dict[str, str], name: str) -> Path:
    """A browser on the search path."""
    return program(Path(machine["PATH"]) / name)


def test_without_any_browser_the_error_says_what_to_do(machine: dict[str, str]) -> None:
    with pytest.raises(BrowserNotFound, match="freeaichat browser install"):
        find_browser("", machine)


def test_browsers_are_found_in_the_order_of_preference(machine: dict[str, str]) -> None:
    names = ["microsoft-edge", "google-chrome", "chromium", "chromium-headless-shell"]
    for name in names:
        path = installed(machine, name)
        assert find_browser("", machine).path == path
    full = downloaded(machine, OWN_FULL.format(1255))
    assert find_browser("", machine).path == full
    shell = downloaded(machine, OWN_SHELL.format(1250))
    assert find_browser("", machine).path == shell
    named = program(Path(machine["HOME"]) / "my browser")
    assert find_browser(str(named), machine).path == named


def test_of_the_downloaded_ones_the_newest_counts_by_its_number(machine: dict[str, str]) -> None:
    downloaded(machine, OWN_SHELL.format(999))
    newest = downloaded(machine, OWN_SHELL.format(1255))

    assert find_browser("", machine).path == newest


def test_a_download_that_broke_off_is_skipped(machine: dict[str, str]) -> None:
    downloaded(machine, OWN_SHELL.format(1255), is_complete=False)
    other = installed(machine, "chromium")

    assert find_browser("", machine).path == other


def test_the_registry_may_be_elsewhere(machine: dict[str, str], tmp_path: Path) -> None:
    path = program(tmp_path / "elsewhere" / OWN_SHELL.format(7))
    (tmp_path / "elsewhere/chromium_headless_shell-7/INSTALLATION_COMPLETE").touch()

    assert find_browser("", machine | {"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "elsewhere")}).path == path


def test_playwrights_own_directory_is_looked_at_when_it_is_to_hold_the_browsers(machine: dict[str, str]) -> None:
    with pytest.raises(BrowserNotFound):
        find_browser("", machine | {"PLAYWRIGHT_BROWSERS_PATH": "0"})


def test_a_setting_may_be_a_name_on_the_search_path(machine: dict[str, str]) -> None:
    path = installed(machine, "brave")

    assert find_browser("brave", machine).path == path


@pytest.mark.parametrize("is_there", [True, False])
def test_a_setting_that_names_no_program_is_an_error_and_no_other_browser_is_taken(
    machine: dict[str, str], tmp_path: Path, is_there: bool
) -> None:
    installed(machine, "chromium")
    if is_there:
        (tmp_path / "wrong").write_text("not executable")

    with pytest.raises(BrowserNotFound, match="FREEAICHAT_BROWSER"):
        find_browser(str(tmp_path / "wrong"), machine)


def test_a_home_of_another_user_is_skipped(machine: dict[str, str]) -> None:
    """As where a service is started by root for another user, and HOME stays root's."""
    downloaded(machine, OWN_SHELL.format(1250))
    Path(machine["HOME"]).chmod(0)
    uid = os.geteuid()
    os.seteuid(65534 if uid == 0 else uid)  # root may enter everything
    try:
        assert find_browser("sh", machine | {"PATH": os.defpath}).found == "FREEAICHAT_BROWSER"
    finally:
        os.seteuid(uid)
        Path(machine["HOME"]).chmod(0o700)


def test_a_user_whom_the_system_does_not_know_needs_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is started with a user of a number alone."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)

    assert find_browser("sh", {"PATH": os.defpath}).found == "FREEAICHAT_BROWSER"


def test_a_headless_shell_is_known_by_its_name_also_behind_a_link(machine: dict[str, str], tmp_path: Path) -> None:
    shell = installed(machine, "headless_shell")
    link = tmp_path / "link"
    link.symlink_to(shell)

    assert find_browser("", machine).kind == "headless_shell"
    assert find_browser(str(link), machine).kind == "headless_shell"
    assert find_browser(str(installed(machine, "chromium")), machine).kind == "full"


def test_for_a_window_headless_shells_are_skipped_even_a_configured_one(machine: dict[str, str]) -> None:
    shell = installed(machine, "chromium-headless-shell")
    with pytest.raises(BrowserNotFound, match="full browser"):
        find_browser(str(shell), machine, full_only=True)
    full = installed(machine, "google-chrome")

    assert find_browser(str(shell), machine, full_only=True).path == full


def test_a_window_needs_a_display_on_linux_only() -> None:
    assert not has_display({}, "linux")
    assert has_display({"DISPLAY": ":0"}, "linux")
    assert has_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert has_display({}, "darwin")
