"""The commands of `freeaichat`: options, help and exit codes. The modules beside this one implement them."""

import os
import sys
from pathlib import Path

import click

from shared import __version__
from shared.cli.admin_commands import AS_JSON, keys, usage
from shared.processes.services import exec_command, module_command

CONTEXT = {"help_option_names": ["-h", "--help"], "color": False if os.environ.get("NO_COLOR") else None}
A_FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="freeaichat")
def freeaichat() -> None:
    """OpenAI-compatible APIs for free AI chats on WordPress sites.

    Start with `freeaichat up`. All settings come from the environment or from `.env`.
    """


freeaichat.add_command(keys)
freeaichat.add_command(usage)


@freeaichat.command()
@click.option("--verbose", is_flag=True, help="Show the services' log lines, and all that installers print.")
def up(verbose: bool) -> None:
    """Run everything on this machine, supervised.

    Starts harvester and proxy, gets a browser where there is none, and shows what happens; then the base URL, the
    key and a curl line, once requests can be answered. In a terminal the services log to freeaichat.log in the data
    directory, elsewhere to standard error. Ctrl-C ends everything.

    Exit codes: 0 ended by a signal, 1 no browser could be had, 2 settings or store cannot be used,
    4 the port is taken, 130 killed by a second Ctrl-C.
    """
    from shared.cli.up import up

    up(verbose=verbose)


@freeaichat.command()
def harvester() -> None:
    """Run the harvester alone.

    Exit codes: 0 ended by a signal, 2 settings or store cannot be used.
    """
    exec_command(module_command("harvester"))  # the service itself, with its own signals and exit codes


@freeaichat.command()
def proxy() -> None:
    """Run the proxy alone.

    Where others can reach it and no key is set, one is made at the first start and shown this once.

    Exit codes: 0 ended by a signal, 1 the store is away or has no room just now, 2 settings or store cannot be used,
    4 the port is taken.
    """
    from shared.cli.proxy import run

    run()


@freeaichat.command()
@click.option("--headed", is_flag=True, help="Visit in a visible window, for what only a person may do.")
@click.option("--site", metavar="URL", help="The site or page to visit; without it the first of FREEAICHAT_SITES.")
@AS_JSON
def harvest(headed: bool, site: str | None, as_json: bool) -> None:
    """Make one visit now.

    Shows what was captured, secrets masked.

    Exit codes: 0 captured, 1 not captured, 2 settings or store cannot be used, 3 another visit is under way.
    """
    from shared.cli.harvest import harvest

    sys.exit(harvest(headed=headed, site=site, as_json=as_json))


@freeaichat.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show credentials, bots and last visits.

    Exit codes: 0 requests can be answered (or could be once a proxy runs), 1 nothing was captured yet, or the proxy
    says why it is not ready, 2 settings or store cannot be used.
    """
    from shared.cli.status import show

    sys.exit(show(as_json=as_json))


@freeaichat.command()
@click.option(
    "--bundle", type=click.Path(path_type=Path), metavar="FILE", help="Write what a bug report needs to this zip file."
)
@AS_JSON
def doctor(bundle: Path | None, as_json: bool) -> None:
    """Check what has to be right.

    Looks at browser, store, site, key, port and more, says how to mend what is wrong, and ends in one verdict. The
    file of --bundle holds the checks, settings, versions, last visits, errors by kind and the end of the log, but no
    secrets.

    Exit codes: 0 nothing fails (warnings are not failures), 1 something does or the file cannot be written,
    2 settings cannot be used.
    """
    from shared.cli.doctor.report import run

    sys.exit(run(as_json=as_json, bundle=bundle))


@freeaichat.command()
@AS_JSON
def models(as_json: bool) -> None:
    """List the models of the running proxy.

    Exit codes: 0, 1 no proxy runs or it refuses, 2 settings cannot be used.
    """
    from shared.cli.models import show

    show(as_json=as_json)


@freeaichat.command()
@click.argument("message", required=False)
@click.option("-m", "--model", help="The model to ask; without it the first of `freeaichat models`.")
@click.option("--search", is_flag=True, help="Let the site search the web; the sources follow the answer.")
@click.option("-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation.")
@click.option("--conversation", metavar="ID", help="Go on with this conversation.")
@AS_JSON
def chat(
    *, message: str | None, model: str | None, search: bool, go_on: bool, conversation: str | None, as_json: bool
) -> None:
    """Say MESSAGE to a model.

    The running proxy answers, and the answer is printed as it comes. Without MESSAGE, or with `-`, it is read
    from a pipe; in a terminal a conversation begins, in which /help lists the commands.

    Exit codes: 0, 1 no proxy runs, it answers with an error or the answer is not whole,
    2 settings or options cannot be used.
    """
    from shared.cli.chat import chat

    if go_on and conversation:
        raise click.UsageError("--continue and --conversation exclude each other")
    chat(message, model=model, search=search, go_on=go_on, conversation=conversation, as_json=as_json)


@freeaichat.command()
@A_FILE
@click.option("--replace", is_flag=True, help="Replace FILE if it is there.")
@AS_JSON
def backup(file: Path, replace: bool, as_json: bool) -> None:
    """Copy the store into FILE.

    The services may be running. The copy holds credentials and conversations, but not the master key, nor
    the file NAME.secret beside the store, without which API keys that were made no longer work elsewhere.

    Exit codes: 0, 1 the copy cannot be made, 2 settings or store cannot be used.
    """
    from shared.cli.backup import make_backup

    make_backup(file, replace=replace, as_json=as_json)


@freeaichat.command()
@A_FILE
@click.option("--replace", is_flag=True, help="Replace what the store holds now.")
@AS_JSON
def restore(file: Path, replace: bool, as_json: bool) -> None:
    """Bring the store back to what FILE holds.

    The services may be running and go on with it. FILE may come from an older version.

    Exit codes: 0, 1 it cannot be brought back, 2 settings cannot be used.
    """
    from shared.cli.backup import restore_backup

    restore_backup(file, replace=replace, as_json=as_json)


@freeaichat.group()
def browser() -> None:
    """The browser that makes the visits."""


@browser.command("install")
@click.option("--force", is_flag=True, help="Install another one even if one is found.")
@click.option("--verbose", is_flag=True, help="Show all that the installers print.")
@AS_JSON
def browser_install(force: bool, verbose: bool, as_json: bool) -> None:
    """Get a browser where there is none.

    Tries Playwright's own download, then the system's package manager where it may be used without asking;
    else prints the command to type.

    Exit codes: 0 there is a browser, 1 none could be had, 2 settings cannot be used.
    """
    from shared.cli.browser import show

    show(force=force, verbose=verbose, as_json=as_json)
