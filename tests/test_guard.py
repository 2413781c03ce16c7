"""Tests cannot reach other machines; one that tries fails."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import LeavesThisMachine, is_here, refused

OUTSIDE = "192.0.2.1"  # set aside for documentation (RFC 5737): nobody's
ROOT = Path(__file__).parents[1]


def connect() -> None:
    with socket.socket() as plain:
        plain.connect((OUTSIDE, 80))


def send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.sendto(b"x", (OUTSIDE, 53))


def look_up() -> None:
    socket.getaddrinfo("site.example", 443)


@pytest.mark.parametrize("attempt", [connect, send, look_up])
def test_another_machine_is_refused(attempt: Callable[[], None]) -> None:
    with pytest.raises(LeavesThisMachine):
        attempt()

    assert len(refused) == 1
    refused.clear()


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("localhost", port)).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", b"LOCALHOST", "", None, "0.0.0.0"])
def test_loopback_is_here(host: str | bytes | None) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "fe80::1", "localhost.example", b"site.example"])
def test_the_rest_is_not(host: str | bytes) -> None:
    assert not is_here(host)


def test_an_attempt_fails_its_test_also_where_the_refusal_was_swallowed(tmp_path: Path) -> None:
    file = tmp_path / "test_swallows.py"
    file.write_text(
        "import socket\n"
        "def test_swallows():\n"
        "    try:\n"
        f"        socket.create_connection(('{OUTSIDE}', 80))\n"
        "    except RuntimeError:\n"
        "        pass\n"
    )

    run = subprocess.run(
        (sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert "this test tried to leave this machine" in run.stdout
