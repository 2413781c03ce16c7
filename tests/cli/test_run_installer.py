"""The output of installers as a user sees it."""

import sys

import pytest

from shared.cli.run_installer import OutputParser, run_installer

REFUSED = """\
Downloading Chrome Headless Shell 159 (playwright v1255)\x1b[2m from http://cdn.example:9/x.zip\x1b[22m
Error: connect ECONNREFUSED 127.0.0.1:9
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:2083:16) {
  errno: -111,
  port: 9
}
"""
GIVEN_UP = """\
Failed to install browsers
Error: Failed to download Chrome Headless Shell 159, caused by
Error: Download failure, code=1
    at ChildProcess.<anonymous> (index.js:1:2)
"""


def faults(reader: OutputParser, text: str) -> list[str]:
    return [fault for line in text.splitlines() if (fault := reader.take(line)) is not None]


def test_of_a_download_that_fails_five_times_the_same_way_one_line_is_reported() -> None:
    assert faults(OutputParser(), REFUSED * 5 + GIVEN_UP) == ["cdn.example:9: connect ECONNREFUSED 127.0.0.1:9"]


def test_each_host_that_fails_gets_its_line() -> None:
    other = REFUSED.replace("cdn.example", "mirror.example").replace("ECONNREFUSED 127.0.0.1:9", "ETIMEDOUT")

    assert faults(OutputParser(), REFUSED + other + GIVEN_UP) == [
        "cdn.example:9: connect ECONNREFUSED 127.0.0.1:9",
        "mirror.example:9: connect ETIMEDOUT",
    ]


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("|■■■■                  |  10% of 112.3 MiB", "10% of 112.3 MiB"),
        (
            "Get:3 http://deb.example stable/main chromium [80 MB]",
            "Get:3 http://deb.example stable/main chromium [80 MB]",
        ),
    ],
)
def test_download_progress_is_parsed(line: str, progress: str) -> None:
    reader = OutputParser()

    assert reader.take(line) is None
    assert reader.progress == progress


def test_a_package_managers_errors_are_reported() -> None:
    text = "Reading package lists...\nErr:1 http://deb.example stable InRelease\nE: Unable to locate package chromium\n"

    assert faults(OutputParser(), text) == ["http://deb.example stable InRelease", "Unable to locate package chromium"]


def test_the_last_words_of_a_program_that_names_no_fault_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    script = "for number in range(9): print('line', number)\nraise SystemExit(3)"

    assert not run_installer([sys.executable, "-c", script], seconds=30)
    *last, end = capsys.readouterr().out.splitlines()[-4:]
    assert last == ["  line 6", "  line 7", "  line 8"]
    assert end.startswith("  failed after ")


def test_a_hanging_installer_is_ended_with_its_children(capsys: pytest.CaptureFixture[str]) -> None:
    script = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"

    assert not run_installer([sys.executable, "-c", script], seconds=0.5)
    assert "given up" in capsys.readouterr().out


def test_a_child_that_holds_the_output_keeps_nobody_waiting() -> None:
    script = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)'])"

    assert run_installer([sys.executable, "-c", script], seconds=15)
