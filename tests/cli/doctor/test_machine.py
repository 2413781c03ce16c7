"""The doctor's checks of this machine, each against the real thing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from shared.cli.doctor.check import Level
from shared.cli.doctor.machine import (
    check_data_dir,
    check_key,
    check_key_accepted,
    check_port,
    check_python,
    check_temporary_dir,
)
from shared.cli.gateway import Gateway
from shared.secrets import ensure_master_key
from shared.settings import Settings, load


@contextmanager
def http_server(body: bytes) -> Iterator[int]:
    """A server that answers every GET with *body*; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def port_level(port: int) -> Level:
    return check_port(Settings(port=port), Gateway("127.0.0.1", port)).level


def test_this_python_is_good_enough() -> None:
    assert check_python().level is Level.OK


def test_without_any_temporary_directory_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_temporary_dir().level is Level.OK

    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", list)

    assert "TMPDIR" in check_temporary_dir().advice


def test_a_full_temporary_directory_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_temporary_dir().level is Level.OK
    monkeypatch.setattr("shared.cli.doctor.machine.LEAST_TEMPORARY_BYTES", 10**30)

    found = check_temporary_dir()

    assert found.level is Level.WARN
    assert "TMPDIR" in found.advice


def test_a_free_port_is_fine(free_port: int) -> None:
    assert port_level(free_port) is Level.OK


@pytest.mark.parametrize("body", [b"<html>", b'{"status": "ok"}'])  # as many a program's health is told
def test_another_web_server_on_the_port_is_a_failure_with_a_mend(body: bytes) -> None:
    with http_server(body) as port:
        gateway = Gateway("127.0.0.1", port)
        found, key = check_port(Settings(port=port), gateway), check_key_accepted(gateway)

    assert found.level is Level.FAIL
    assert "FREEAICHAT_PORT" in found.advice
    assert "no proxy runs" in key.what


def test_a_silent_listener_on_the_port_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert port_level(silent.getsockname()[1]) is Level.FAIL


def test_a_private_data_directory_is_fine(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    assert check_data_dir(tmp_path).level is Level.OK


def test_a_missing_data_directory_is_fine_where_it_can_be_made(tmp_path: Path) -> None:
    assert check_data_dir(tmp_path / "new" / "deeper").level is Level.OK


def test_a_data_directory_open_to_others_is_a_warning_with_the_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    found = check_data_dir(tmp_path)

    assert found.level is Level.WARN
    assert found.advice == f"chmod 700 {tmp_path}"
    (tmp_path / "others").touch()
    assert "a directory of its own" in check_data_dir(tmp_path).advice


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_data_directory_that_cannot_be_used_is_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    found = check_data_dir(tmp_path / name)

    assert found.level is Level.FAIL
    assert "chown" not in found.advice


def test_without_a_key_a_loopback_bind_is_fine_and_an_open_one_a_warning(tmp_path: Path) -> None:
    assert check_key(Settings(data_dir=tmp_path)).level is Level.OK
    assert check_key(load(data_dir=tmp_path, host="0.0.0.0")).level is Level.WARN


def test_a_key_that_was_kept_for_others_is_reported_where_none_would_be_needed(tmp_path: Path) -> None:
    ensure_master_key(tmp_path)

    found = check_key(Settings(data_dir=tmp_path))

    assert found.level is Level.OK
    assert found.what == f"kept in {tmp_path / 'master.key'}, mode 0600; asked for once others have keys"


def test_a_kept_key_must_be_private(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, host="0.0.0.0")
    key, _ = ensure_master_key(tmp_path)

    private = check_key(settings)
    (tmp_path / "master.key").chmod(0o644)
    public = check_key(settings)

    assert private.level is Level.OK
    assert public.level is Level.FAIL
    assert public.advice == f"chmod 600 {tmp_path / 'master.key'}"
    assert key not in private.what + public.what
