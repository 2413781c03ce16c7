"""Terminal control sequences in text from sites are never printed."""

import io
from typing import Any

import click
import pytest

from shared.cli import harvest, status_text, up_text
from shared.cli.doctor.check import warn
from shared.cli.failures import Failure
from shared.models import Outcome, Visit

SAID = "a\x1b]2;title\x07b\x1b[2Jc\x9bd\u202ee"
SHOWN = "a]2;titleb[2Jcde"
BOT = {"id": 7, "name": SAID, "provider": SAID, "models": ["a"]}
VISIT = {
    "site": "https://chat.example",
    "started_at": 0.0,
    "outcome": "no_chat",
    "seconds": 1.0,
    "trigger": "start",
    "reason": SAID,
    "steps": {},
}
STATUS: dict[str, Any] = {
    "store": {"url": "sqlite:///x", "schema": 1},
    "proxy": {"running": False, "base_url": "http://127.0.0.1:8080/v1"},
    "harvester": {"heartbeat_at": None, "running": False},
    "keys": {"made": 0, "working": 0},
    "sites": [{"site": "https://chat.example", "kind": None, "credentials": None, "bots": [BOT], "visits": [VISIT]}],
    "servers": [],
}


def visit(outcome: Outcome) -> Visit:
    return Visit(id="v", site="https://chat.example", started_at=0.0, seconds=1.0, outcome=outcome, reason=SAID)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (lambda: status_text.lines(STATUS, 1.0), 3),
        (lambda: harvest.report_lines({"visit": VISIT, "bots": [BOT]}), 3),
        (lambda: up_text.visit_lines(visit(Outcome.NO_CHAT), None), 1),
        (lambda: warn("site", SAID, SAID).lines(), 2),
    ],
)
def test_no_printed_line_holds_a_terminal_command(lines: Any, count: int) -> None:
    output = click.unstyle("\n".join(lines()))

    assert output.count(SHOWN) == count
    assert not (set(SAID) - set(SHOWN)) & set(output)


def test_no_error_holds_a_terminal_command() -> None:
    output = io.StringIO()
    Failure(SAID).show(output)

    assert output.getvalue() == f"freeaichat: {SHOWN}\n"
