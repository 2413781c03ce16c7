"""`python -m tests` runs most tests side by side and others after them, and fails if any of them does."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.__main__ import FAILED, HANGS, MOST_AGAIN, closing_line, compiling, may_be_disturbed, outcome, run_all
from tests.conftest import measuring

ROOT = Path(__file__).parents[1]
NOTHING, INTERRUPTED = 5, 2
SUITE = """
import os
import pytest

def note(name):
    with open({notes!r}, "a") as file:
        file.write(f"{{name}} {{os.environ.get('PYTEST_XDIST_WORKER', 'alone')[:2]}}\\n")

@pytest.mark.alone
def test_alone():
    note("alone")

@pytest.mark.busy
def test_busy():
    note("busy")

def test_beside_others():
    note("beside others")

@pytest.mark.alone
def test_fails():
    assert not 1

def test_is_disturbed_by_others():
    is_again = os.path.exists({notes!r} + ".disturbed")
    open({notes!r} + ".disturbed", "w").close()
    assert is_again

def test_fails_always():
    note("fails always")
    assert not 1

@pytest.mark.skip
def test_skipped():
    pass
"""


def test_what_is_marked_runs_after_all_others_and_what_they_disturbed_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    notes = tmp_path / "notes"
    (tmp_path / "test_some.py").write_text(SUITE.format(notes=str(notes)))

    code = run_all([f"--config-file={ROOT / 'pyproject.toml'}", "-o", f"cache_dir={tmp_path}", "test_some.py"])

    assert code == FAILED
    assert notes.read_text().splitlines() == [
        *("beside others gw", "fails always gw", "fails always gw"),  # the last once more
        *("busy gw", "alone gw"),
    ]
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("=")
    assert " 2 failed, 3 passed, 1 passed only alone, 1 skipped in " in last


def test_a_fresh_clones_tests_are_compiled_before_they_run_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    file = tmp_path / "test_some.py"
    compiled = tmp_path / "__pycache__" / f"test_some.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    file.write_text("def test_some():\n    assert 1\n")
    with compiling(tmp_path):
        pass
    first = compiled.read_bytes()
    file.write_text("def test_some_other():\n    assert 1\n")
    with compiling(tmp_path):
        pass

    assert b"@py_assert" in first  # taken apart
    assert compiled.read_bytes() == first


@pytest.mark.parametrize(
    ("code", "faults", "expected"),
    [(FAILED, 1, True), (FAILED, MOST_AGAIN, True), (FAILED, MOST_AGAIN + 1, False), (0, 0, False), (HANGS, 1, False)],
)
def test_where_much_fails_or_all_hangs_nothing_runs_again(code: int, faults: int, expected: bool) -> None:
    assert may_be_disturbed(code, faults) is expected


STAGE = """
import os, sys
from harvester.process_trees import become_subreaper
from tests.__main__ import run_stage
become_subreaper()
sys.exit(run_stage(("sh", "-c", sys.argv[1]), os.environ, float(sys.argv[2])) % 256)
"""


@pytest.mark.parametrize(
    ("script", "seconds", "code", "lines"),
    [
        ("true", 20, 0, []),
        ("setsid sleep 67 & exit 3", 20, 3, ["left running: sleep 67"]),
        ("sleep 67 & wait", 0.5, HANGS % 256, ["not done after 0.5 s", "left running: sleep 67"]),
    ],
)
def test_what_a_stage_leaves_running_is_reported_and_ended(
    script: str, seconds: float, code: int, lines: list[str]
) -> None:
    command = [sys.executable, "-c", STAGE, script, str(seconds)]

    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=20, check=False)  # to its end

    assert done.returncode == code
    shown = done.stdout.replace("setsid sleep", "sleep")  # which it may just be about to become
    assert [line for line in shown.splitlines() if line] == lines


@pytest.mark.parametrize(
    ("codes", "whole"),
    [
        ((0, 0), 0),
        ((0, FAILED), FAILED),
        ((FAILED, 0), FAILED),
        ((INTERRUPTED, FAILED), INTERRUPTED),
        ((NOTHING, 0), 0),  # what was asked for is all of one kind
        ((0, NOTHING), 0),
        ((NOTHING, NOTHING), NOTHING),
        ((FAILED, NOTHING), FAILED),
        ((-9, 0), -9),
        ((0, FAILED, 0), FAILED),
    ],
)
def test_all_runs_have_to_pass(codes: tuple[int, ...], whole: int) -> None:
    assert outcome(codes) == whole


def test_the_closing_line_looks_like_pytests_own() -> None:
    assert " 2 failed, 3 passed, 1 errors in 61.20s " in closing_line(
        Counter(failed=2, passed=3, skipped=0, errors=1), 61.2
    )
    assert " no tests ran in 0.50s " in closing_line(Counter(), 0.5)


def test_what_is_not_wanted_is_not_measured_and_the_rest_is() -> None:
    def tracer(*event: object) -> None:
        """Stands for what measures."""

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        with measuring(is_wanted=False):
            unwanted = sys.gettrace()
        with measuring(is_wanted=True):
            wanted = sys.gettrace()
        after = sys.gettrace()
    finally:
        sys.settrace(before)

    assert (unwanted, wanted, after) == (None, tracer, tracer)
