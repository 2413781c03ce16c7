"""`freeaichat harvest`: run one visit now, and print its result."""

import json
import os
import signal
import subprocess
from typing import Any

import click

from shared import parsing
from shared.cli import text
from shared.cli.failures import BadSettings, Failure, read_settings
from shared.processes.lifeline import Lifeline
from shared.processes.services import exec_command, module_command

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


def harvest(*, headed: bool, site: str | None, as_json: bool) -> int:
    """Let the harvester make one visit; returns its exit code. Its log goes to standard error. Raises `Failure`.

    *site*: an address of the site or page to visit; None: the first of the settings.
    """
    chosen = ["--site", _page(site)] if site else []
    command = module_command("harvester", "once", *(["--headed"] if headed else []), *chosen)
    if as_json:
        exec_command(command)  # its output and exit code are what was asked for
    output, code = _run(command)
    for line in output.splitlines():
        for report_line in report_lines(json.loads(line)):
            click.echo(report_line)
    return code


def _page(address: str) -> str:
    """The page that *address* names: of a site of the settings, without a path, the page that they name."""
    try:
        wanted = parsing.site(address)
    except ValueError as error:
        raise BadSettings(f"--site: {error}") from error
    pages = {site.origin: site.url for site in read_settings().sites}
    return pages.get(wanted.origin, wanted.url) if wanted.url == f"{wanted.origin}/" else wanted.url


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
        lifeline.close_child_end()
        signal.signal(signal.SIGINT, lambda *_: visit.terminate())
        output = visit.communicate()[0]
    lifeline.stop()
    if visit.returncode < 0:
        raise Failure(f"the visit was ended from outside: {signal.strsignal(-visit.returncode)}")
    return output, visit.returncode


def report_lines(result: dict[str, Any]) -> list[str]:
    """The harvester's report of a visit as lines for users."""
    visit = result["visit"]
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in visit.get("steps", {}).items())
    took = f"{visit['seconds']:.1f} s" + (f" ({steps})" if steps else "")
    lines = [f"{visit['site']}: {text.outcome(visit['outcome'])} in {took}"]
    if visit.get("reason"):
        lines.append(f"  {text.sanitized(visit['reason'])}")
    credentials = result.get("credentials") or {}
    lines += text.table([(label, str(credentials[name])) for name, label in SHOWN.items() if name in credentials])
    bots = result.get("bots") or []
    if bots:
        lines.append(f"  bots ({len(bots)})")
        lines += text.table([(str(bot["id"]), *text.named(bot)) for bot in bots], indent="    ")
    return lines
