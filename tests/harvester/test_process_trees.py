"""Ending process trees, orphans included."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harvester.process_trees import kill_process_tree
from tests.cli.processes import is_alive, wait_until


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to end and collect when the test is over."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def start(started: list[subprocess.Popen[str]], *command: str, directory: Path | None = None) -> int:
    """Start *command*, with *directory* as its TMPDIR; its process id."""
    environment = os.environ | ({"TMPDIR": str(directory)} if directory else {})
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True)
    started.append(process)
    return process.pid


def test_what_has_the_directory_as_its_tmpdir_is_ended_and_others_are_not(
    started: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    inside = start(started, "sleep", "60", directory=tmp_path)
    other = start(started, "sleep", "60", directory=tmp_path / "other")

    kill_process_tree(tmp_path)

    assert not is_alive(inside)
    assert is_alive(other)


def test_what_works_in_the_directory_or_keeps_its_profile_there_is_ended(
    started: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    works = subprocess.Popen(["sleep", "60"], cwd=tmp_path, text=True, start_new_session=True)
    started.append(works)
    keeps = start(started, "sh", "-c", "sleep 60; true", "sh", f"--user-data-dir={tmp_path}/profile")
    mentions = start(started, "sh", "-c", "sleep 60; true", "sh", f"--note={tmp_path}/profile")

    kill_process_tree(tmp_path)

    assert not is_alive(works.pid)
    assert not is_alive(keeps)
    assert is_alive(mentions)


@pytest.mark.parametrize("is_known_by_its_directory", [False, True])
def test_descendants_in_sessions_of_their_own_are_ended_with_the_root(
    started: list[subprocess.Popen[str]], tmp_path: Path, is_known_by_its_directory: bool
) -> None:
    directory = tmp_path if is_known_by_its_directory else None
    script = "env -u TMPDIR setsid sh -c 'sleep 60 & echo $!; wait' & wait"
    root = start(started, "sh", "-c", script, directory=directory)
    assert started[0].stdout is not None
    child = int(started[0].stdout.readline())
    assert is_alive(child)

    kill_process_tree(tmp_path, root=None if is_known_by_its_directory else psutil.Process(root))

    assert not is_alive(root)
    assert not is_alive(child)


def test_what_keeps_starting_others_is_ended_too(started: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    start(started, "sh", "-c", "while true; do sleep 30 & sleep 0.01; done", directory=tmp_path)
    wait_until(lambda: len(psutil.Process(started[0].pid).children()) > 5, "it has started some")

    kill_process_tree(tmp_path)

    left = [process for process in psutil.process_iter(["environ"]) if is_of(process, tmp_path)]
    assert left == []


def is_of(process: psutil.Process, directory: Path) -> bool:
    return (process.info["environ"] or {}).get("TMPDIR") == str(directory) and is_alive(process.pid)


def test_an_excluded_process_is_left_running(started: list[subprocess.Popen[str]], tmp_path: Path) -> None:
    root = start(started, "sh", "-c", "sleep 60 & echo $!; wait", directory=tmp_path)
    assert started[0].stdout is not None
    child = int(started[0].stdout.readline())

    kill_process_tree(tmp_path, root=psutil.Process(root), exclude={root})

    assert is_alive(root) or started[0].poll() == 0  # it ends by itself when its only child is gone
    assert started[0].poll() != -signal.SIGKILL
    assert not is_alive(child)


REUSED = """
import subprocess, sys, time
from pathlib import Path
import psutil
from harvester.process_trees import kill_process_tree
ended = subprocess.Popen(["true"])
root = psutil.Process(ended.pid)
ended.wait()
time.sleep(0.05)  # when a process began is known to a hundredth of a second
while True:
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(root.pid - 1))
    other = subprocess.Popen(["sleep", "60"])
    if other.pid == root.pid:
        break
    other.kill()
    other.wait()
kill_process_tree(Path(sys.argv[1]), root=root)
print(other.poll())
other.kill()
"""


def test_a_process_that_reuses_an_id_is_left_running(tmp_path: Path) -> None:
    """In a space of process ids of its own, where the next one can be set."""
    command = ["unshare", "-Urpf", "--mount-proc", sys.executable, "-c", REUSED, str(tmp_path)]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout

    assert output == "None\n"


ORPHANS = """
import os, subprocess, time
from harvester.process_trees import become_subreaper, reap_orphans
become_subreaper()
waited_for = subprocess.Popen(["false"])
orphan = int(subprocess.run(["sh", "-c", "sleep 0.2 >/dev/null & echo $!"], stdout=subprocess.PIPE).stdout)
print(os.path.exists(f"/proc/{orphan}"), open(f"/proc/{orphan}/stat").read().split()[3] == str(os.getpid()))
while open(f"/proc/{orphan}/stat").read().split()[2] != "Z":
    time.sleep(0.01)
reap_orphans({waited_for.pid})
print(os.path.exists(f"/proc/{orphan}"), waited_for.wait())
"""


def test_orphans_are_adopted_and_reaped_and_children_that_others_wait_for_are_not() -> None:
    command = [sys.executable, "-c", ORPHANS]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout

    assert output.splitlines() == ["True True", "False 1"]
