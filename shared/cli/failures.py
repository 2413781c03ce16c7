"""Exceptions that end a command with a message and a documented exit code, and the set-up that raises them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import click

from shared.cli.gateway import Gateway, GatewayError, GatewayUnreachable, NotTheProxy, gateway_from
from shared.cli.master_key import MasterKey, find_key
from shared.cli.text import sanitized
from shared.processes.services import EXIT_FAILED, EXIT_PORT_TAKEN, EXIT_SETTINGS
from shared.secrets import KEY_FILE, ensure_master_key
from shared.settings import Settings, SettingsError, load
from shared.store import Store, StoreError, open_store

T = TypeVar("T")

HINTS: dict[str | int, str] = {  # what to do, by error code or HTTP status of the proxy
    401: "set FREEAICHAT_API_KEY to the proxy's key, or use the data directory that the proxy uses",
    "model_not_found": "`freeaichat models` lists the models",
    "conversation_not_found": "without --continue and --conversation a new one begins",
    429: "try again later",
    503: "`freeaichat status` says why",
}


class Failure(click.ClickException):
    """Ends the command with a message and exit code 1; with `--json` as an error object on standard output too."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        """*details*: further fields of the JSON object with `--json`."""
        super().__init__(message)
        self._details = details or {}
        context = click.get_current_context(silent=True)  # it is gone when the message is shown
        self._as_json = bool(context and context.params.get("as_json"))

    def show(self, file: Any = None) -> None:
        """Print the message to standard error."""
        if self._as_json:
            click.echo(json.dumps({**self._details, "error": {"message": self.message}}, ensure_ascii=False))
        click.echo(sanitized(f"freeaichat: {self.message}"), file=file, err=True)


class BadSettings(Failure):
    """The settings or the store cannot be used."""

    exit_code = EXIT_SETTINGS


class PortTaken(Failure):
    """Something else listens on our port."""

    exit_code = EXIT_PORT_TAKEN


def read_settings() -> Settings:
    """Load the settings. Raises `BadSettings`."""
    try:
        return load()
    except SettingsError as error:
        raise BadSettings(f"the settings cannot be used:\n{error}") from error


def read_gateway(settings: Settings) -> Gateway:
    """The proxy that *settings* describe. Raises `BadSettings` where the key file cannot be read."""
    try:
        return gateway_from(settings, find_key(settings))
    except OSError as error:
        raise BadSettings(f"the key file in {settings.data_dir} cannot be read: {error.strerror}") from error


def provide_key(settings: Settings) -> tuple[MasterKey, bool]:
    """The master key, generated and stored if there is none, and whether it is new.

    Raises `BadSettings` where it cannot be stored.
    """
    try:
        if (key := find_key(settings)) is not None:
            return key, False
        value, is_new = ensure_master_key(settings.data_dir)
    except OSError as error:
        raise BadSettings(f"the key cannot be kept in {settings.data_dir}: {error.strerror}") from error
    return MasterKey(value, settings.data_dir / KEY_FILE), is_new


def run_with_store(settings: Settings, work: Callable[[Store], Awaitable[T]], *, startup_timeout: float = 0.0) -> T:
    """Open the store and run *work*; *startup_timeout*: as in `open_store`. Raises `BadSettings`."""

    async def run() -> T:
        async with open_store(settings.store_url, startup_timeout=startup_timeout) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except StoreError as error:
        raise BadSettings(str(error)) from error


def describe(error: GatewayError) -> str:
    """The message of *error*, and what to do where that is known."""
    if isinstance(error, GatewayUnreachable):
        start = "start it with `freeaichat up`; where it runs at another port, set FREEAICHAT_PORT here too"
        hint = "`freeaichat doctor` looks closer" if error.is_silent else start
    elif isinstance(error, NotTheProxy):
        hint = "where the proxy runs at another port, set FREEAICHAT_PORT here too"
    else:
        hint = HINTS.get(error.code) or HINTS.get(error.status) or ""
    return f"{error}; {hint}" if hint else str(error)
