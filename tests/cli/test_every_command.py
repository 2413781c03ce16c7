"""What holds for every command: exit codes in the help, JSON, and plain text where there is no terminal."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from shared.cli import main
from shared.cli.app import freeaichat
from tests.cli import forked
from tests.cli.processes import clean_environment
from tests.figures import figure
from tests.needs import FREEAICHAT

COMMAND_SECONDS = 60.0
HELP_SECONDS = 0.15  # of a processor, whatever else runs on it
WITHOUT_JSON = {"up", "harvester", "proxy"}  # they run services
QUICK = [
    ["status"],
    ["doctor"],
    ["models"],
    ["chat", "hi"],
    ["usage"],
    ["keys", "list"],
    ["keys", "revoke", "nobody"],
    ["keys", "rotate", "nobody"],
    ["restore", "missing.db"],
    ["browser", "install"],
]


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


ALL = dict(commands(freeaichat))


@pytest.fixture
def environment(tmp_path: Path, free_port: int) -> dict[str, str]:
    """Settings with which nothing runs and the site is away."""
    return clean_environment(tmp_path / "data", f"http://127.0.0.1:{free_port}/", free_port)


@pytest.mark.parametrize("name", ALL)
def test_the_help_names_the_exit_codes(name: str) -> None:
    assert "Exit codes: 0" in (ALL[name].help or "")


def test_the_list_of_commands_cuts_no_sentence_short() -> None:
    result = CliRunner().invoke(freeaichat, ["--help"])

    assert "..." not in result.output.partition("Commands:")[2]


@pytest.mark.usefixtures("as_users_run_it")  # coverage loads some itself
def test_an_interrupt_before_a_command_is_known_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "shared.cli.app", Interrupted("shared.cli.app"))
    with pytest.raises(SystemExit, match="Aborted!"):
        main()


def test_the_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom shared.cli.app import freeaichat\n"
        "freeaichat(['--help'], standalone_mode=False)\nprint(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(result.stderr.split())

    assert "Commands:" in result.stdout
    assert "click" in loaded
    assert (
        loaded & {"asyncio", "pydantic", "aiohttp", "rich", "markdown_it", "playwright", "sqlite3", "psutil"} == set()
    )


@pytest.mark.alone
@pytest.mark.usefixtures("as_users_run_it")
def test_the_help_is_there_at_once() -> None:
    took = []
    for _ in range(5):
        before = sum(os.times()[2:4])
        subprocess.run([FREEAICHAT, "--help"], stdout=subprocess.DEVNULL, check=True)
        took.append(sum(os.times()[2:4]) - before)

    figure("CPU of freeaichat --help", f"{min(took):.2f} s")
    assert min(took) < HELP_SECONDS


def test_every_command_that_tells_something_tells_it_as_json() -> None:
    without = {name for name, command in ALL.items() if "--json" not in {o for p in command.params for o in p.opts}}

    assert without == WITHOUT_JSON


def shown_in_a_terminal(args: list[str], environment: dict[str, str], cwd: Path) -> tuple[int, str]:
    """Exit code and output of a command whose standard streams are all a terminal."""
    parent_fd, child_fd = pty.openpty()
    shown = b""
    with subprocess.Popen(
        [FREEAICHAT, *args], env=environment, cwd=cwd, stdin=child_fd, stdout=child_fd, stderr=child_fd
    ) as process:
        try:
            os.close(child_fd)
            with suppress(OSError):  # which a terminal gives at its end
                while piece := os.read(parent_fd, 65536):
                    shown += piece
            code = process.wait(COMMAND_SECONDS)
        finally:
            process.kill()
    os.close(parent_fd)
    return code, shown.decode()


@pytest.mark.parametrize("args", QUICK, ids=" ".join)
def test_in_a_pipe_text_is_plain_and_json_is_one_document_and_a_terminal_shows_the_same(
    args: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    plain, as_json = (forked.run(*args, *more, environment=environment, cwd=tmp_path) for more in ((), ("--json",)))
    code, shown = shown_in_a_terminal(args, environment, tmp_path)

    assert plain.stdout + plain.stderr
    assert "\x1b" not in plain.stdout + plain.stderr
    assert "Traceback" not in plain.stderr + shown
    assert json.loads(as_json.stdout) is not None
    assert as_json.returncode == code == plain.returncode
    last_words = [re.sub(r"\d.*", "", line) for line in (plain.stdout + plain.stderr).splitlines()][-1]
    assert last_words in re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_doctor_shows_how_far_it_is_in_a_terminal_alone(environment: dict[str, str], tmp_path: Path) -> None:
    _, shown = shown_in_a_terminal(["doctor"], environment, tmp_path)
    plain = forked.run("doctor", environment=environment)

    assert re.search(r"\[#+\.+\] \d+ of \d+", shown)
    for line in shown.split("\n"):
        assert "[#" not in line.rstrip("\r").rpartition("\r")[2]  # what stands there in the end is no bar
    assert "\r" not in plain.stdout


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_unless_it_is_declined(
    environment: dict[str, str], tmp_path: Path, more: dict[str, str], coloured: bool
) -> None:
    _, shown = shown_in_a_terminal(["status"], environment | more, tmp_path)

    assert "credentials" in shown
    assert ("\x1b[" in shown) is coloured


@pytest.mark.parametrize(
    ("args", "message"), [("chat <&-", "there is nothing to say"), ("browser install --json >&-", "")]
)
def test_a_closed_standard_stream_is_an_empty_one(args: str, message: str, environment: dict[str, str]) -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", f"exec '{FREEAICHAT}' {args}"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert "Traceback" not in result.stderr
    assert message in result.stderr
