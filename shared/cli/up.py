"""`freeaichat up`: prepares what the services need, then replaces this process by the supervisor."""

import os
import sys
import time
from pathlib import Path

import click

from shared import log_file
from shared.cli import browser
from shared.cli.failures import BadSettings, Failure, PortTaken, read_settings, run_with_store
from shared.cli.proxy import show_key
from shared.processes import ports
from shared.processes.services import exec_command, module_command
from shared.processes.supervise import export_log_format, grace_period
from shared.secrets import private_dir
from shared.settings import Settings, hand_over
from shared.store import STARTING_SECONDS, Store

PORT_PATIENCE_SECONDS = 5.0  # services of a killed supervisor take a few seconds to notice and to end
PORT_PAUSE = 0.1


def up(*, verbose: bool) -> None:
    """Prepare, and replace this process by the supervisor; does not return. Raises `Failure`.

    In a terminal the services log to a file, unless *verbose*, and the terminal shows the progress.
    """
    started = time.time()
    settings = read_settings()
    prepare(settings, verbose=verbose)
    is_watched = sys.stdout.isatty() and sys.stderr.isatty()
    log = create_log(settings.data_dir) if is_watched and not verbose else None
    grace = grace_period(settings.shutdown_timeout)
    port = settings.port or ports.free_port(settings.hosts[0])
    arguments = (
        f"{started:.3f}",
        str(settings.workers),
        str(grace),
        ",".join(settings.hosts),
        str(port),
        str(log or ""),
    )
    os.environ["FREEAICHAT_PORT"] = str(port)  # "any free port" is chosen here, so that all know it
    hand_over(settings, port=port)
    export_log_format(settings.log_format)
    exec_command(module_command("shared.cli.supervise", *arguments))


def create_log(data_dir: Path) -> Path | None:
    """Create the log file, and print its path; None where it cannot be created."""
    log = log_file.log_path(data_dir).absolute()
    try:
        private_dir(data_dir)
        os.close(os.open(log, log_file.APPENDING, log_file.MODE))
        log.chmod(log_file.MODE)  # it may be from elsewhere
    except OSError as error:
        click.echo(f"no log file, so the services log to here: {log}: {error.strerror}", err=True)
        return None
    click.echo(f"log: {log} (`freeaichat up --verbose` shows it here instead)")
    return log


def prepare(settings: Settings, *, verbose: bool) -> None:
    """Check store and port, install a missing browser, and generate a needed key. Raises `Failure`."""
    run_with_store(settings, _nothing, startup_timeout=STARTING_SECONDS)  # its faults are told once
    await_port(settings)
    prepare_browser(settings, verbose=verbose)
    show_key(settings)


def prepare_browser(settings: Settings, *, verbose: bool) -> None:
    """Find a browser; install a missing one, unless values captured by hand are set."""
    started = time.monotonic()
    found = browser.find(settings)
    if found is not None:
        click.echo(f"browser found: {found.path} ({time.monotonic() - started:.1f} s)")
    elif settings.has_manual_values:
        click.echo("no browser: the values captured by hand serve until they fail; see `freeaichat browser install`")
    else:
        try:
            browser.ensure_browser(settings, verbose=verbose)
        except Failure as failure:
            if not settings.servers:
                raise
            click.echo(f"no browser, so that no site is visited; the servers answer. {failure}")


async def _nothing(_: Store) -> None:
    """Do nothing: opening the store is enough."""


def await_port(settings: Settings) -> None:
    """Wait up to `PORT_PATIENCE_SECONDS` for a port in use. Raises `PortTaken`, or `BadSettings` for a bad address."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while (problem := ports.bind_error(settings.hosts, settings.port)) is not None:
        if not ports.is_in_use(problem):
            raise BadSettings(f"cannot listen on {settings.host} port {settings.port}: {problem.strerror}")
        if time.monotonic() > deadline:
            raise PortTaken(
                f"{settings.host} port {settings.port} is taken; stop what listens there "
                "(`freeaichat status` tells whether it is this program) or set FREEAICHAT_PORT to a free port"
            )
        time.sleep(PORT_PAUSE)
