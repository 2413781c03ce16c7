"""Values that are handed to the processes that are started from here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.processes.handover import ENVIRONMENT_NAME, hand_over, take_over
from shared.settings import Settings, load, load_in_fork
from shared.settings import hand_over as hand_settings_over
from tests.cli.processes import ROOT

# Hands a value over, becomes another program (exec), and starts two processes from there, of which each has another.
HANDS_OVER = """
import os, sys
from shared.processes.handover import hand_over
hand_over({"number": 7})
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
STARTS_TWO = """
import os, sys
for _ in range(2):
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", TAKES_OVER], os.environ), 0)
"""
TAKES_OVER = """
import os, subprocess, sys
from shared.processes.handover import take_over
open_files = len(os.listdir("/proc/self/fd"))
print(take_over(), take_over(), len(os.listdir("/proc/self/fd")) - open_files, flush=True)
subprocess.run([sys.executable, "-c", "from shared.processes.handover import take_over; print(take_over())"])
"""


def test_each_process_takes_it_over_once_and_hands_nothing_on() -> None:
    starts_two = STARTS_TWO.replace("TAKES_OVER", repr(TAKES_OVER))
    command = [sys.executable, "-c", HANDS_OVER, starts_two]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=True)

    assert done.stdout.splitlines() == ["{'number': 7} None -1", "None"] * 2
    assert done.stderr == ""


def test_settings_that_were_handed_over_are_not_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ENVIRONMENT_NAME, "")  # so that it is gone in the end
    monkeypatch.setenv("FREEAICHAT_HOST", "::1")
    monkeypatch.setenv("COOKIE", "a=1; b=2")
    before = load()

    hand_settings_over(before, port=9001)
    monkeypatch.setenv("FREEAICHAT_HOST", "10.0.0.1")
    found = load_in_fork()()

    assert found == load(host="::1", port=9001) != Settings()
    assert (found.hosts, found.set_fields) == (("::1",), before.set_fields | {"port"})
    assert load_in_fork()().hosts == ("10.0.0.1",)  # they are taken over once


def test_nothing_is_there_unless_it_was_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv(ENVIRONMENT_NAME, raising=False)

    hand_over(7)

    assert ENVIRONMENT_NAME not in os.environ
    assert take_over() is None
