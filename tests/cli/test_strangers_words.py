"""What a site wrote commands no terminal, wherever a command shows it."""

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
def test_no_line_for_people_holds_a_command(lines: Any, count: int) -> None:
    told = click.unstyle("\n".join(lines()))

    assert told.count(SHOWN) == count
    assert not (set(SAID) - set(SHOWN)) & set(told)


def test_no_error_holds_a_command() -> None:
    told = io.StringIO()
    Failure(SAID).show(told)

    assert told.getvalue() == f"freeaichat: {SHOWN}\n"
