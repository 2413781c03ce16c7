"""`freeaichat proxy`: the key, where one is needed, then the service in place of this process."""

import click

from shared.cli.failures import BadSettings, read_settings
from shared.cli.keys import ensure_key
from shared.processes.services import become, module_command
from shared.settings import Settings


def run() -> None:
    """Become the proxy; does not return. Raises `BadSettings`."""
    provide_key(read_settings())
    become(module_command("proxy"))  # the service itself, with its own signals and exit codes


def provide_key(settings: Settings) -> None:
    """Make the key where one is needed and missing, and show it this once; later only where it is kept.

    Raises `BadSettings` where it cannot be kept.
    """
    try:
        key, is_new = ensure_key(settings)
    except OSError as error:
        raise BadSettings(f"the key cannot be kept in {settings.data_dir}: {error.strerror}") from error
    if key is not None and is_new:
        click.echo(f"key made: {click.style(key.value, bold=True)} (shown this once)")
    if key is not None and key.file is not None:
        click.echo(f"key kept in {key.file}")
