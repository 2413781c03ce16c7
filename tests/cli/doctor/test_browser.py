"""The doctor's checks of browser and driver, with executable stand-ins."""

import sys
from pathlib import Path

import pytest

from shared.cli.doctor.browser import check_browser, check_driver
from shared.cli.doctor.check import Level
from shared.cli.install import try_start
from tests.cli.processes import program


def test_a_browser_that_starts_is_fine_and_its_version_named(tmp_path: Path) -> None:
    browser = program(tmp_path / "chromium", "echo Chromium 156.0.8078.108")

    found = check_browser(str(browser))

    assert found.level is Level.OK
    assert "Chromium 156.0.8078.108" in found.what


def test_a_program_that_is_no_browser_of_the_family_is_reported(tmp_path: Path) -> None:
    found = check_browser(str(program(tmp_path / "firefox", "echo Mozilla Firefox 128.3.1esr")))

    assert found.level is Level.WARN
    assert "Mozilla Firefox 128.3.1esr" in found.what
    assert "FREEAICHAT_BROWSER" in found.advice


def test_missing_shared_libraries_are_named(tmp_path: Path) -> None:
    message = "error while loading shared libraries: libnss3.so: cannot open shared object file: No such file"
    browser = program(tmp_path / "chromium", f'echo "$0: {message}" >&2; exit 127')

    found = check_browser(str(browser))

    assert found.level is Level.FAIL
    assert "libnss3.so" in found.what
    assert "install" in found.advice


def test_no_browser_is_a_failure_that_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))

    found = check_browser("")

    assert found.level is Level.FAIL
    assert found.what == "no browser was found"
    assert "freeaichat browser install" in found.advice


def test_a_setting_that_names_no_program_has_to_be_fixed_itself(tmp_path: Path) -> None:
    found = check_browser(str(tmp_path / "nowhere"))

    assert found.level is Level.FAIL
    assert found.advice.startswith("mend FREEAICHAT_BROWSER")
    assert "mend" not in found.what


def test_a_browser_that_crashes_is_a_failure_with_its_last_words(tmp_path: Path) -> None:
    problem, _ = try_start([str(program(tmp_path / "chromium", "echo bad luck >&2; exit 5"))])

    assert problem == "exit code 5 bad luck"


def test_output_in_another_encoding_is_reported_too(tmp_path: Path) -> None:
    problem, _ = try_start([str(program(tmp_path / "chromium", "printf 'ge\\366ffnet' >&2; exit 5"))])

    assert problem == "exit code 5 ge\ufffdffnet"


def test_what_is_no_program_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "chromium").write_text("text")

    assert try_start([str(tmp_path / "chromium")])[0] == "Permission denied"
    assert try_start([sys.executable, "--version"])[0] == ""


def test_the_installed_driver_starts() -> None:
    assert check_driver().level is Level.OK


def test_an_installation_of_the_proxy_alone_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.cli.doctor.browser.find_spec", lambda name: None if name == "playwright" else name)
    monkeypatch.setenv("PATH", "")

    assert check_browser("").level is Level.OK
    driver = check_driver()
    assert driver.level is Level.WARN
    assert "another machine or container runs the harvester" in driver.advice
