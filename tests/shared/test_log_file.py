"""The log file that the services of one terminal share."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.log_file import APPENDING, RotatingStream, append, is_stderr, log_path, rotated_path, rotating_stderr, tail

MAX_BYTES = 4000
WRITERS, LINES = 4, 200
WRITER = """
import os, sys
from pathlib import Path
from shared.log_file import APPENDING, RotatingStream
path = Path(sys.argv[1])
os.dup2(os.open(path, APPENDING, 0o600), 2)
stream = RotatingStream(path, int(sys.argv[3]))
for number in range(int(sys.argv[4])):
    stream.write(f"writer {sys.argv[2]} line {number:04} {'x' * 40}\\n")
os.write(2, b"the end\\n")  # as what is no logger does
"""


def test_the_log_file_stays_bounded_with_many_writers_and_no_line_is_torn(tmp_path: Path) -> None:
    path = log_path(tmp_path)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number), str(MAX_BYTES), str(LINES)])
        for number in range(WRITERS)
    ]
    codes = [writer.wait(60) for writer in writers]
    files = [path, rotated_path(path)]
    lines = [line for file in files for line in file.read_text().splitlines()]

    assert codes == [0] * WRITERS
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert all(file.stat().st_size < MAX_BYTES + WRITERS * 100 for file in files)
    assert {len(line) for line in lines} == {len(f"writer 1 line 0000 {'x' * 40}"), len("the end")}
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    assert (path.read_text() or rotated_path(path).read_text()).endswith("the end\n")


def test_where_no_other_file_can_be_created_it_stays_bounded_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_path(tmp_path / "data")
    path.parent.mkdir()
    stderr, other_stderr = (os.open(path, APPENDING, 0o600) for _ in range(2))
    monkeypatch.setattr("shared.log_file.STDERR", stderr)
    stream = RotatingStream(path, MAX_BYTES)
    path.parent.rename(tmp_path / "moved")

    for _ in range(200):
        stream.write("x" * 99 + "\n")

    assert os.fstat(stderr).st_size <= MAX_BYTES
    fcntl.flock(other_stderr, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for descriptor in (stderr, other_stderr):
        os.close(descriptor)


def test_a_file_that_services_filled_as_they_ended_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.log_file.MAX_BYTES", MAX_BYTES)
    path = log_path(tmp_path)
    for number in range(3):
        with path.open("a") as output:
            output.write("x" * MAX_BYTES)
        append(str(path), f"starting it again, {number}\n")

    assert not path.exists()
    assert rotated_path(path).read_text().endswith("starting it again, 2\n")
    assert rotated_path(path).stat().st_size < 2 * MAX_BYTES
    append(str(path), "starting it again, 3\n")
    assert path.read_text() == "starting it again, 3\n"


def test_only_a_file_that_is_standard_error_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "other").touch()

    assert not is_stderr(tmp_path / "other")
    assert not is_stderr(tmp_path / "missing")
    assert rotating_stderr(tmp_path / "other") is None


def test_a_log_file_rotated_by_others_during_the_start_is_taken_over_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_path(tmp_path)
    stderr = os.open(path, APPENDING, 0o600)
    monkeypatch.setattr("shared.log_file.STDERR", stderr)
    monkeypatch.setattr("shared.log_file.MAX_BYTES", MAX_BYTES)
    with path.open("a") as output:
        output.write("x" * MAX_BYTES)
    append(str(path), "put aside\n")
    stream = rotating_stderr(path)
    assert stream is not None

    stream._max_bytes = MAX_BYTES
    stream.write("the last line of the full one\n")
    stream.write("the first of another\n")

    os.close(stderr)
    assert path.read_text() == "the first of another\n"


def test_the_tail_reaches_into_the_previous_file_and_holds_whole_lines(tmp_path: Path) -> None:
    path = log_path(tmp_path)
    assert tail(path, 100) == ""
    rotated_path(path).write_text("one\ntwo\nthree\n")
    path.write_text("four\nfive\n")

    assert tail(path, 100) == "one\ntwo\nthree\nfour\nfive\n"
    assert tail(path, 16) == "three\nfour\nfive\n"
    assert tail(path, 8) == "five\n"
