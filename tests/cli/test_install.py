"""`freeaichat browser install`, with stand-ins for the package manager and for the host that has the browser."""

import io
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread

import pytest

from shared.cli.install import MANAGERS, root_prefix
from tests.cli import forked
from tests.cli.processes import program

APT = next(manager for manager in MANAGERS if manager.program == "apt-get")
APT_INSTALL = "install -y --no-install-recommends"


class Machine:
    """An isolated search path that holds only what a test adds."""

    def __init__(self, directory: Path, port: int) -> None:
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.calls = directory / "calls"
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(directory),
            "PLAYWRIGHT_BROWSERS_PATH": str(directory / "browsers"),
            "PLAYWRIGHT_DOWNLOAD_HOST": f"http://127.0.0.1:{port}",
            "FREEAICHAT_ENV_FILE": os.devnull,
        }
        for tool in ("sh", "env", "cat", "chmod"):
            (self.bin / tool).symlink_to(f"/bin/{tool}" if Path(f"/bin/{tool}").exists() else f"/usr/bin/{tool}")
        program(self.bin / "sudo", 'shift; exec "$@"')

    def add_apt(self, *, available: str) -> None:
        """A package manager that has the one browser package *available*, which it puts on the search path."""
        made = self.bin / available
        script = (
            f'echo "$@" >> {self.calls}\ncase "$*" in\n*" {available} "*) printf "#!/bin/sh\\n" > {made}; '
            f"chmod 755 {made};;\ninstall*) exit 100;;\nesac"
        )
        program(self.bin / "apt-get", script)

    def add_browser(self) -> None:
        program(self.bin / "chromium", "exit 0")

    def install(self, *options: str) -> "subprocess.CompletedProcess[str]":
        return forked.run("browser", "install", *options, environment=self.environment, seconds=150)

    @property
    def called(self) -> list[str]:
        """What the package manager was told."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@contextmanager
def download_host() -> Iterator[int]:
    """A download host that serves any browser archive, with a program of that name that does nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            folder = PurePosixPath(self.path).stem
            content = io.BytesIO()
            with zipfile.ZipFile(content, "w") as archive:
                entry = zipfile.ZipInfo(f"{folder}/chrome-headless-shell")
                entry.external_attr = 0o755 << 16
                archive.writestr(entry, "#!/bin/sh\n")
            self.send_response(200)
            self.send_header("Content-Length", str(len(content.getvalue())))
            self.end_headers()
            self.wfile.write(content.getvalue())

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def machine(tmp_path: Path, free_port: int) -> Machine:
    """A machine without browser, whose downloads fail at once: there is a file where they would go."""
    machine = Machine(tmp_path, free_port)
    Path(machine.environment["PLAYWRIGHT_BROWSERS_PATH"]).touch()
    return machine


@pytest.mark.usefixtures("measured")
def test_playwrights_own_download_comes_first(tmp_path: Path) -> None:
    with download_host() as port:
        machine = Machine(tmp_path, port)
        machine.add_apt(available="chromium")
        result = machine.install()

    assert result.returncode == 0, result.stderr
    assert "browser installed" in result.stdout
    assert "chrome-headless-shell" in result.stdout
    assert machine.called == []


@pytest.mark.usefixtures("measured")
def test_where_the_download_fails_the_package_manager_installs_the_small_browser(
    tmp_path: Path, free_port: int
) -> None:
    machine = Machine(tmp_path, free_port)
    machine.add_apt(available="chromium-headless-shell")

    result = machine.install()

    assert result.returncode == 0, result.stderr
    assert "ECONNREFUSED" in result.stdout
    assert not re.search(r"^\s+at |errno", result.stdout + result.stderr, re.MULTILINE)  # no stack trace
    assert machine.called == ["update", f"{APT_INSTALL} chromium-headless-shell libatomic1"]
    assert f"browser installed: {machine.bin}/chromium-headless-shell" in result.stdout


def test_where_there_is_no_small_browser_the_full_one_is_installed(machine: Machine) -> None:
    machine.add_apt(available="chromium")

    result = machine.install()

    assert result.returncode == 0, result.stderr
    assert machine.called[-1] == f"{APT_INSTALL} chromium libatomic1"


@pytest.mark.usefixtures("measured")
def test_where_nothing_helps_the_exact_command_is_printed(machine: Machine) -> None:
    machine.add_apt(available="nothing-of-ours")

    result = machine.install()

    assert result.returncode == 1
    assert "apt-get install -y --no-install-recommends chromium-headless-shell libatomic1" in result.stderr


def test_without_a_known_package_manager_playwrights_command_is_printed(machine: Machine) -> None:
    result = machine.install()

    assert result.returncode == 1
    assert "-m playwright install --with-deps --only-shell chromium" in result.stderr


def test_a_browser_that_is_there_is_enough(machine: Machine) -> None:
    machine.add_browser()
    machine.add_apt(available="chromium-headless-shell")

    result = machine.install()

    assert result.returncode == 0
    assert f"browser found: {machine.bin}/chromium" in result.stdout
    assert machine.called == []


def test_force_installs_another_one_all_the_same(machine: Machine) -> None:
    machine.add_browser()
    machine.add_apt(available="chromium-headless-shell")

    result = machine.install("--force")

    assert result.returncode == 0
    assert len(machine.called) == 2


def test_no_other_one_is_installed_where_the_settings_name_one(machine: Machine) -> None:
    machine.add_browser()
    machine.add_apt(available="chromium-headless-shell")
    machine.environment["FREEAICHAT_BROWSER"] = f"{machine.bin}/chromium"

    result = machine.install("--force")

    assert (result.returncode, machine.called) == (2, [])
    assert "unset FREEAICHAT_BROWSER" in result.stderr


@pytest.mark.usefixtures("measured")
def test_a_setting_that_names_no_browser_is_a_settings_error(machine: Machine) -> None:
    machine.environment["FREEAICHAT_BROWSER"] = "/nowhere/chromium"

    result = machine.install()

    assert result.returncode == 2
    assert "/nowhere/chromium" in result.stderr


@pytest.mark.parametrize(("sudo", "prefix"), [("exit 0", ("sudo", "-n")), ("exit 1", None), (None, None)])
def test_the_package_manager_is_used_only_where_nobody_has_to_be_asked(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, sudo: str | None, prefix: tuple[str, ...] | None
) -> None:
    monkeypatch.setenv("PATH", str(machine.bin))
    (machine.bin / "sudo").unlink()
    if sudo is not None:
        program(machine.bin / "sudo", sudo)

    assert root_prefix(APT, 1000) == prefix
    assert root_prefix(APT, 0) == ()
