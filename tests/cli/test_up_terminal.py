"""`freeaichat up` in a terminal: it narrates there, and the services log to a file."""

import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared import log_file
from tests.cli.processes import BY_HAND, clean_environment
from tests.cli.terminal import CTRL_C, terminal
from tests.needs import FREEAICHAT
from tests.site.process import RunningSite, running_site

LOG_LINE = re.compile(r"\b(INFO|WARNING|ERROR) ")


@pytest.fixture
async def site() -> AsyncIterator[RunningSite]:
    """The simulated site, as a process of its own."""
    async with running_site() as running:
        yield running


@pytest.fixture
def environment(site: RunningSite, tmp_path: Path, free_port: int) -> dict[str, str]:
    """Settings for the simulated site, a free port and an empty data directory."""
    return clean_environment(tmp_path / "data", site.url, free_port)


@pytest.mark.usefixtures("measured")
async def test_a_first_visit_that_fails_is_reported_with_what_to_do_and_no_log_line_comes_between(
    environment: dict[str, str], tmp_path: Path, site: RunningSite
) -> None:
    await site.control(page_status=500, page_delay=1.0)  # long enough for the line to be drawn
    with terminal([FREEAICHAT, "up"], environment) as shown:
        shown.wait_for("trying again")
        shown.type(CTRL_C)
        code = shown.wait()
    log = log_file.log_path(tmp_path / "data")

    assert code == 0
    assert re.search(rf"\d s  a browser visits {site.url}", shown.shown)
    assert [line.partition(": ")[0].split(" (")[0] for line in shown.left if line] == [
        "browser found",
        "log",
        f"visit of {site.url.rstrip('/')} failed",
        "what to do",
        "trying again by itself, soon and then ever more rarely; until one succeeds, requests get 503",
        "freeaichat",
    ]
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert re.search(r"^\d{4}-\d\d-\d\d .* harvester .*site_error", log.read_text(), re.MULTILINE)


def test_what_is_ready_is_reported_and_the_log_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    with terminal([FREEAICHAT, "up"], environment | BY_HAND) as shown:
        shown.wait_for("curl -N")
        shown.type(CTRL_C)
        code = shown.wait()

    assert code == 0
    assert f"log: {log_file.log_path(tmp_path / 'data')} " in shown.shown
    assert not LOG_LINE.search(shown.shown)
    assert "listening on" in log_file.log_path(tmp_path / "data").read_text()


def test_verbose_shows_the_log_and_draws_nothing_over_it(environment: dict[str, str], tmp_path: Path) -> None:
    with terminal([FREEAICHAT, "up", "--verbose"], environment | BY_HAND) as shown:
        shown.wait_for("curl -N")
        shown.type(CTRL_C)
        code = shown.wait()

    assert code == 0
    assert "listening on" in shown.shown
    assert "the services start" not in shown.shown
    assert not log_file.log_path(tmp_path / "data").exists()


@pytest.mark.usefixtures("measured")
def test_a_service_that_cannot_run_is_reported_with_the_file_that_says_why(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = log_file.log_path(tmp_path / "data")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "uvloop.py").write_text("raise OSError('no loop today')")
    with terminal([FREEAICHAT, "up"], environment | BY_HAND | {"PYTHONPATH": str(broken)}) as shown:
        code = shown.wait()

    assert code == 2
    assert f"stands in {log}" in shown.shown
    assert "no loop today" not in shown.shown
    assert "no loop today" in log.read_text()


def test_where_no_log_file_can_be_made_the_log_is_shown(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data" / log_file.NAME).mkdir(parents=True)
    with terminal([FREEAICHAT, "up"], environment | BY_HAND) as shown:
        shown.wait_for("curl -N")

    assert "no log file" in shown.shown
    assert "listening on" in shown.shown
    assert list((tmp_path / "data" / log_file.NAME).iterdir()) == []
