"""The supervisor, with stand-ins for the services: real processes and real signals."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from shared.processes.supervise import SECOND_INTERRUPT_SECONDS
from tests.cli.processes import family, is_alive, module, pids_in, running, wait_until

pytestmark = pytest.mark.usefixtures("measured")

LIFELINE_SECONDS = 3.0
GRACE_SECONDS = 1.5
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the supervisor over stand-ins of the given modes; the n-th writes its pids to `tmp_path/n`."""
    with ExitStack() as stack:

        def start(*modes: str, grace: float = 15) -> subprocess.Popen[str]:
            pairs = [word for number, mode in enumerate(modes, 1) for word in (mode, str(tmp_path / str(number)))]
            return stack.enter_context(running(module("tests.cli.supervised", str(grace), *pairs)))

        yield start


def first_pid(file: Path, *, count: int = 1) -> int:
    """The last of the first *count* pids that a stand-in writes to *file*."""
    return wait_until(lambda: pids_in(file)[count - 1 :], f"{count} starts of {file.name}")[0]


@pytest.mark.usefixtures("as_from_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_all_services_and_exits_0(start: Start, tmp_path: Path, number: int) -> None:
    supervisor = start("serve", "serve")
    pids = [first_pid(tmp_path / "1"), first_pid(tmp_path / "2")]

    supervisor.send_signal(number)

    assert supervisor.wait(20) == 0
    assert not any(map(is_alive, pids))


def test_where_logs_are_json_the_supervisors_lines_are_too(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEAICHAT_LOG_FORMAT", "json")
    supervisor = start("serve")
    os.kill(first_pid(tmp_path / "1"), signal.SIGKILL)
    first_pid(tmp_path / "1", count=2)
    supervisor.terminate()

    lines = [json.loads(line) for line in supervisor.communicate(timeout=20)[1].splitlines()]

    assert [(line["level"], line["service"]) for line in lines] == [("info", "up")]
    assert lines[0]["message"].startswith("service 1 ended (signal 9")


def test_a_killed_service_is_back_within_seconds_and_no_zombie_stays(start: Start, tmp_path: Path) -> None:
    supervisor = start("serve", "serve")
    first, other = first_pid(tmp_path / "1"), first_pid(tmp_path / "2")

    os.kill(first, signal.SIGKILL)
    second = first_pid(tmp_path / "1", count=2)

    assert second != first
    assert pids_in(tmp_path / "2") == [other]
    assert sorted(child.pid for child in family(supervisor.pid)) == sorted([second, other])


def test_a_service_killed_again_and_again_is_always_back_within_ten_seconds(start: Start, tmp_path: Path) -> None:
    start("serve")
    waits = []
    for count in range(1, 6):
        victim = first_pid(tmp_path / "1", count=count)
        killed_at = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        first_pid(tmp_path / "1", count=count + 1)
        waits.append(time.monotonic() - killed_at)

    assert waits[0] < 2
    assert max(waits) < 8


def test_a_service_that_fails_by_itself_is_started_ever_more_rarely(start: Start, tmp_path: Path) -> None:
    supervisor = start("exit:1")
    first_pid(tmp_path / "1", count=3)
    supervisor.send_signal(signal.SIGTERM)

    errors = supervisor.communicate(timeout=20)[1]

    pauses = [line.rpartition("again in ")[2] for line in errors.splitlines()]
    assert pauses[:2] == ["0.5 s", "1 s"]
    assert "service 1 ended (exit code 1)" in errors


@pytest.mark.parametrize(("code", "reason"), [(2, "settings"), (4, "port is taken")])
def test_a_final_exit_code_is_not_retried_but_stops_everything(
    start: Start, tmp_path: Path, code: int, reason: str
) -> None:
    supervisor = start("serve", f"exit:{code}")

    errors = supervisor.communicate(timeout=20)[1]

    assert supervisor.returncode == code
    assert reason in errors
    assert len(pids_in(tmp_path / "2")) == 1
    assert not any(map(is_alive, pids_in(tmp_path / "1")))


def test_what_ignores_sigterm_is_killed_with_its_whole_group_after_the_grace(start: Start, tmp_path: Path) -> None:
    supervisor = start("stubborn", "serve", grace=1)
    first_pid(tmp_path / "1", count=2)
    first_pid(tmp_path / "2")

    supervisor.send_signal(signal.SIGTERM)
    wait_for_sigterm(tmp_path / "1")
    time.sleep(SECOND_INTERRUPT_SECONDS)
    supervisor.send_signal(signal.SIGTERM)  # whoever tells it twice is not in a hurry, as a person at a terminal is

    assert supervisor.wait(20) == 0
    assert not any(map(is_alive, pids_in(tmp_path / "1")))
    assert len(pids_in(tmp_path / "2")) == 1  # while the other one was waited for


def wait_for_sigterm(file: Path) -> None:
    """Wait until the stand-in of *file*, which ignores it, has received SIGTERM."""
    first_pid(file, count=3)  # after its own id and its child's


def test_a_second_interrupt_kills_at_once(start: Start, tmp_path: Path) -> None:
    supervisor = start("stubborn", grace=60)
    first_pid(tmp_path / "1", count=2)

    supervisor.send_signal(signal.SIGINT)
    wait_for_sigterm(tmp_path / "1")
    time.sleep(SECOND_INTERRUPT_SECONDS)  # what is sooner counts as the first; from then to now it is longer
    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(20) == 130
    assert not any(map(is_alive, pids_in(tmp_path / "1")))


def test_an_interrupt_delivered_twice_by_a_wrapper_is_one(start: Start, tmp_path: Path) -> None:
    supervisor = start("stubborn", grace=GRACE_SECONDS)
    first_pid(tmp_path / "1", count=2)

    interrupted_at = time.monotonic()
    supervisor.send_signal(signal.SIGINT)
    wait_for_sigterm(tmp_path / "1")
    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(20) == 0
    assert time.monotonic() - interrupted_at >= GRACE_SECONDS


def test_services_end_by_themselves_when_the_supervisor_is_killed(start: Start, tmp_path: Path) -> None:
    supervisor = start("serve", "serve")
    pids = [first_pid(tmp_path / "1"), first_pid(tmp_path / "2")]

    supervisor.kill()

    wait_until(lambda: not any(map(is_alive, pids)), "the services ended", seconds=LIFELINE_SECONDS)


def test_what_a_crashed_service_left_in_its_group_is_killed(start: Start, tmp_path: Path) -> None:
    start("crash")
    first_pid(tmp_path / "1", count=3)

    leftover = pids_in(tmp_path / "1")[1]

    wait_until(lambda: not is_alive(leftover), "the leftover child was killed", seconds=2)


def test_a_child_that_need_not_last_ends_without_consequence(start: Start, tmp_path: Path) -> None:
    supervisor = start("serve", "once:exit:0", "once:exit:2")
    first_pid(tmp_path / "2")
    first_pid(tmp_path / "3")
    wait_until(lambda: len(family(supervisor.pid)) == 1, "only the service is left")

    os.kill(first_pid(tmp_path / "1"), signal.SIGKILL)
    restarted = first_pid(tmp_path / "1", count=2)  # the others ended before, and would be back before

    assert [child.pid for child in family(supervisor.pid)] == [restarted]
    assert len(pids_in(tmp_path / "2")) == 1
    assert len(pids_in(tmp_path / "3")) == 1
    supervisor.send_signal(signal.SIGTERM)
    errors = supervisor.communicate(timeout=20)[1]
    assert "service 3 ended (exit code 2); the services go on" in errors
    assert "service 2" not in errors


@pytest.mark.usefixtures("as_users_run_it")
def test_the_idle_supervisor_uses_no_processor_time_and_little_memory(start: Start, tmp_path: Path) -> None:
    supervisor = start("serve", "serve")
    first_pid(tmp_path / "1")
    first_pid(tmp_path / "2")
    process = psutil.Process(supervisor.pid)
    wait_until(lambda: process.status() == psutil.STATUS_SLEEPING, "it waits")
    before = process.cpu_times(), process.num_ctx_switches()

    time.sleep(1)  # what it measures: whatever wakes up in this second, if only once, has one switch more

    assert (process.cpu_times(), process.num_ctx_switches()) == before
    assert process.memory_full_info().pss < 15_000_000
