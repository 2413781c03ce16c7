"""`freeaichat up` with real services, a real browser and the simulated site."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cli.processes import BY_HAND, clean_environment, end, family, is_alive, wait_until
from tests.needs import FREEAICHAT
from tests.site.process import RunningSite, running_site

MODEL = "gpt-4o-mini-helper"
UNDER_WAY = 3  # the exit code of a visit that was not made because another one is


class Up:
    """One run of `freeaichat up`, its output in files."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path, log: Path) -> None:
        self.process = process
        self._output = output
        self._log = log

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._output.read_text()

    @property
    def log(self) -> str:
        """What it and the services logged so far."""
        return self._log.read_text()

    def wait_for(self, text: str, *, seconds: float = 90.0) -> None:
        """Wait until *text* was printed."""

        def is_there() -> bool:
            assert self.process.poll() is None, f"ended early:\n{self.output}{self.log}"
            return text in self.output

        wait_until(is_there, f"{text!r} was printed", seconds=seconds)

    def ready(self) -> str:
        """Wait until it is ready; the curl line."""
        self.wait_for("\ncurl ")
        wait_until(lambda: self.output.endswith("\n"), "the line is whole")
        return self.output.splitlines()[-1]

    def services(self) -> list[int]:
        """The process ids of the two services, once the progress display has ended."""
        return [child.pid for child in wait_until(lambda: two(self.process.pid), "two services run")]


def two(pid: int) -> list[psutil.Process]:
    children = family(pid)
    return children if len(children) == 2 else []


@contextmanager
def up(environment: dict[str, str], directory: Path) -> Iterator[Up]:
    """Start it; whatever is left of it is killed at the end."""
    name = f"up-{time.monotonic_ns()}"
    output, log = directory / f"{name}.out", directory / f"{name}.log"
    with output.open("w") as out, log.open("w") as err:
        process = subprocess.Popen(
            [FREEAICHAT, "up"],
            env=environment,
            cwd=directory,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    try:
        yield Up(process, output, log)
    finally:
        end(process)


def shell(line: str) -> "subprocess.CompletedProcess[str]":
    """Paste *line* into a fresh shell."""
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False, env={"PATH": os.environ["PATH"]}
    )


def visit_now(environment: dict[str, str]) -> None:
    """One visit by hand, once no other one is under way."""
    codes: list[int] = []

    def visit() -> bool:
        codes.append(subprocess.run([FREEAICHAT, "harvest"], env=environment, check=False).returncode)
        return codes[-1] != UNDER_WAY

    wait_until(visit, "no other visit is under way")
    assert codes[-1] == 0


def make_key(environment: dict[str, str]) -> None:
    """Make the first key for others."""
    subprocess.run([FREEAICHAT, "keys", "create", "--name", "ann"], env=environment, check=True)


@pytest.fixture
async def site() -> AsyncIterator[RunningSite]:
    """The simulated site, as a process of its own."""
    async with running_site() as running:
        yield running


@pytest.fixture
def environment(site: RunningSite, tmp_path: Path, free_port: int) -> dict[str, str]:
    """Settings for the simulated site, a free port and an empty data directory."""
    return clean_environment(tmp_path / "data", site.url, free_port)


@pytest.fixture
async def by_hand(site: RunningSite) -> dict[str, str]:
    """Settings with which the site answers without a visit."""
    nonce = (await site.state())["nonce"]
    return {"SESSION_ID": "by-hand-0001", "AJAX_NONCE": nonce, "FREEAICHAT_MODELS": f"{MODEL}=5"}


@pytest.mark.usefixtures("measured")
def test_it_runs_no_users_file_of_a_services_name_and_one_interrupt_ends_everything(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for name in ("proxy.py", "harvester.py"):
        (tmp_path / name).write_text("raise SystemExit('not ours')")
    with up(environment, tmp_path) as running:
        running.ready()
        pids = running.services()

        running.process.send_signal(signal.SIGINT)

        assert running.process.wait(15) == 0
        assert not any(map(is_alive, pids))
        assert "Traceback" not in running.log
        assert "not ours" not in running.log


@pytest.mark.parametrize("started", [0, 1, 4], ids=["the supervisor starts", "services start", "a visit is under way"])
def test_an_interrupt_while_it_starts_ends_everything_too(
    environment: dict[str, str], tmp_path: Path, started: int
) -> None:
    with up(environment, tmp_path) as running:
        supervisor = psutil.Process(running.process.pid)
        wait_until(lambda: "shared.cli.supervise" in supervisor.cmdline(), "it has prepared everything")
        wait_until(lambda: len(family(supervisor.pid)) >= started, "so much runs")
        all_processes = [process.pid for process in family(supervisor.pid)]

        running.process.send_signal(signal.SIGINT)

        assert running.process.wait(20) == 0
        wait_until(lambda: not any(map(is_alive, all_processes)), "all of it ended", seconds=5)
        assert "Traceback" not in running.log


async def test_a_first_visit_that_fails_is_reported_and_tried_again(
    environment: dict[str, str], tmp_path: Path, site: RunningSite
) -> None:
    await site.control(page_status=500)
    with up(environment, tmp_path) as running:
        running.wait_for("failed: ")
        assert "site_error" in running.output
        assert "trying again" in running.output

        await site.control(page_status=200)
        visit_now(environment)

        assert "[DONE]" in shell(running.ready()).stdout


async def test_a_key_that_is_made_before_it_is_ready_is_used_from_then_on(
    environment: dict[str, str], tmp_path: Path, site: RunningSite
) -> None:
    await site.control(page_status=500)
    with up(environment, tmp_path) as running:
        running.wait_for("failed: ")
        make_key(environment)

        await site.control(page_status=200)
        visit_now(environment)

        assert "[DONE]" in shell(running.ready()).stdout


def test_a_key_file_that_cannot_be_read_and_is_not_needed_is_passed_over(
    environment: dict[str, str], by_hand: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "data" / "master.key").mkdir(parents=True)
    with up(environment | by_hand, tmp_path) as running:
        assert "[DONE]" in shell(running.ready()).stdout

        assert "Traceback" not in running.log


@pytest.mark.usefixtures("measured")
def test_where_others_can_reach_it_a_key_is_made_and_the_curl_line_uses_it(
    environment: dict[str, str], by_hand: dict[str, str], tmp_path: Path
) -> None:
    with up(environment | by_hand | {"FREEAICHAT_HOST": "0.0.0.0"}, tmp_path) as running:
        line = running.ready()
        key = (tmp_path / "data" / "master.key").read_text().strip()

        assert running.output.count(key) == 1
        assert key not in running.log
        assert f"key: kept in {tmp_path}/data/master.key" in running.output
        assert "[DONE]" in shell(line).stdout
        assert "401" in shell(line.replace("Authorization", "X-Nothing") + " -w '%{http_code}'").stdout


@pytest.mark.usefixtures("measured")
def test_a_taken_port_is_reported_with_exit_code_4(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", int(environment["FREEAICHAT_PORT"]))), up(environment, tmp_path) as running:
        assert running.process.wait(20) == 4
        assert "FREEAICHAT_PORT" in running.log
        assert environment["FREEAICHAT_PORT"] in running.log


def test_a_port_that_becomes_free_in_a_moment_is_waited_for(environment: dict[str, str], tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", int(environment["FREEAICHAT_PORT"])))
    with taken, up(environment | BY_HAND, tmp_path) as running:
        time.sleep(1.5)
        taken.close()

        running.ready()


def test_port_0_means_any_free_port_and_a_key_of_the_settings_is_in_the_curl_line(
    environment: dict[str, str], by_hand: dict[str, str], tmp_path: Path
) -> None:
    changed = by_hand | {"FREEAICHAT_PORT": "0", "FREEAICHAT_API_KEY": "it's a key"}
    with up(environment | changed, tmp_path) as running:
        assert "[DONE]" in shell(running.ready()).stdout


def test_a_service_that_is_started_again_has_the_settings_of_the_others(
    environment: dict[str, str], by_hand: dict[str, str], tmp_path: Path
) -> None:
    env_file = tmp_path / "its.env"
    with up(environment | by_hand | {"FREEAICHAT_ENV_FILE": str(env_file)}, tmp_path) as running:
        line = running.ready()
        env_file.write_text("FREEAICHAT_API_KEY=for-the-next-start\n")

        for pid in running.services():
            os.kill(pid, signal.SIGKILL)

        wait_until(lambda: "[DONE]" in shell(line).stdout, "the same requests are answered again")


@pytest.mark.usefixtures("measured")
def test_without_a_browser_and_a_way_to_get_one_the_command_is_printed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    in_the_way = tmp_path / "browsers"
    in_the_way.touch()
    with up(environment | {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(in_the_way)}, tmp_path) as running:
        assert running.process.wait(60) == 1
        assert "-m playwright install --with-deps --only-shell chromium" in running.log


async def test_values_captured_by_hand_serve_without_a_browser(
    environment: dict[str, str], by_hand: dict[str, str], tmp_path: Path, site: RunningSite
) -> None:
    without_browser = {"FREEAICHAT_BROWSER": "", "PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    with up(environment | by_hand | without_browser | {"COOKIE": "a=1; b=$$2"}, tmp_path) as running:
        line = running.ready()

        assert "credentials taken from the settings: " in running.output
        assert "session by-h…" in running.output
        assert json.loads(re.findall(r"-d '(.*)'$", line)[0])["model"] == MODEL
        assert shell(line).stdout.rstrip().endswith("data: [DONE]")
        assert (await site.state())["requests"].get("/", 0) == 0
