"""`freeaichat harvest`: one visit now, by the harvester itself, and what it brought in words."""

import json
import os
import signal
import subprocess
from typing import Any

import click

from shared.cli import text
from shared.cli.failures import Failure
from shared.processes.lifeline import Lifeline
from shared.processes.services import become, module_command

SHOWN = {
    "plugin": "plugin",
    "page_url": "page",
    "ajax_url": "ajax URL",
    "cookie": "cookie",
    "nonce": "nonce",
    "session_id": "session",
    "post_id": "post",
    "user_agent": "User-Agent",
    "generation": "generation",
}


def harvest(*, headed: bool, as_json: bool) -> int:
    """Let the harvester make one visit; returns its exit code. Its log goes to standard error. Raises `Failure`."""
    command = module_command("harvester", "once", *(["--headed"] if headed else []))
    if as_json:
        become(command)  # its output and exit code are what was asked for
    output, code = _run(command)
    for line in output.splitlines():
        for told in tell(json.loads(line)):
            click.echo(told)
    return code


def _run(command: list[str]) -> tuple[str, int]:
    """Output and exit code of *command*, which ends when we do. At a Ctrl-C it tidies up, and we wait for that.

    Raises `Failure` where a signal ended it.
    """
    lifeline = Lifeline()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        pass_fds=lifeline.pass_fds,
        env=os.environ | lifeline.environment,
        process_group=0,  # a Ctrl-C in the terminal reaches us alone
    ) as visit:
        lifeline.hand_over()
        signal.signal(signal.SIGINT, lambda *_: visit.terminate())
        output = visit.communicate()[0]
    lifeline.cut()
    if visit.returncode < 0:
        raise Failure(f"the visit was ended from outside: {signal.strsignal(-visit.returncode)}")
    return output, visit.returncode


def tell(result: dict[str, Any]) -> list[str]:
    """The harvester's own report of a visit, in words."""
    visit = result["visit"]
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in visit.get("steps", {}).items())
    lines = [f"{visit['site']}: {text.outcome(visit['outcome'])} in {visit['seconds']:.1f} s ({steps})"]
    if visit.get("reason"):
        lines.append(f"  {text.harmless(visit['reason'])}")
    credentials = result.get("credentials") or {}
    lines += text.table([(label, str(credentials[name])) for name, label in SHOWN.items() if name in credentials])
    bots = result.get("bots") or []
    if bots:
        lines.append(f"  bots ({len(bots)})")
        lines += text.table([(str(bot["id"]), *text.named(bot)) for bot in bots], indent="    ")
    return lines
