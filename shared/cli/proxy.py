"""`freeaichat proxy`: the key, where one is needed, then the service in place of this process."""

import click

from shared.cli.failures import provide_key, read_settings
from shared.cli.master_key import is_key_needed
from shared.processes.services import exec_command, module_command
from shared.settings import Settings


def run() -> None:
    """Replace this process by the proxy; does not return. Raises `BadSettings`."""
    show_key(read_settings())
    exec_command(module_command("proxy"))  # the service itself, with its own signals and exit codes


def show_key(settings: Settings) -> None:
    """Generate and print a key if one is needed and missing; print where a generated one is stored.

    Raises `BadSettings` where it cannot be stored.
    """
    if not is_key_needed(settings):
        return
    key, is_new = provide_key(settings)
    if is_new:
        click.echo(f"key made: {click.style(key.value, bold=True)} (shown this once)")
    if key.file is not None:
        click.echo(f"key kept in {key.file}")
