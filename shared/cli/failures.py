"""What commands begin with, and how they end badly: what is wrong and what to do, and a documented exit code."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import click

from shared.cli.gateway import Gateway, GatewayError, NoGateway, gateway_of
from shared.cli.keys import Key, ensure_key
from shared.cli.text import harmless
from shared.processes.services import EXIT_FAILED, EXIT_PORT_TAKEN, EXIT_SETTINGS
from shared.settings import Settings, SettingsError, load
from shared.store import Store, StoreError, open_store

T = TypeVar("T")

MENDS: dict[str | int, str] = {  # by code or status of an error that the proxy answers with
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
        """*details*: what stands beside the error with `--json`."""
        super().__init__(message)
        self._details = details or {}
        context = click.get_current_context(silent=True)  # it is gone when the message is shown
        self._as_json = bool(context and context.params.get("as_json"))

    def show(self, file: Any = None) -> None:
        """Print the message to standard error."""
        if self._as_json:
            click.echo(json.dumps({**self._details, "error": {"message": self.message}}, ensure_ascii=False))
        click.echo(harmless(f"freeaichat: {self.message}"), file=file, err=True)


class BadSettings(Failure):
    """The settings or the store cannot be used."""

    exit_code = EXIT_SETTINGS


class PortTaken(Failure):
    """Something else listens on our port."""

    exit_code = EXIT_PORT_TAKEN


def read_settings() -> Settings:
    """The settings. Raises `BadSettings` where they make no sense."""
    try:
        return load()
    except SettingsError as error:
        raise BadSettings(f"the settings cannot be used:\n{error}") from error


def read_gateway(settings: Settings) -> Gateway:
    """The proxy that *settings* describe. Raises `BadSettings` where the key file cannot be read."""
    try:
        return gateway_of(settings)
    except OSError as error:
        raise BadSettings(f"the key file in {settings.data_dir} cannot be read: {error.strerror}") from error


def provide_key(settings: Settings) -> tuple[Key, bool]:
    """The master key, made and kept where there is none; whether it was made now.

    Raises `BadSettings` where it cannot be kept.
    """
    try:
        return ensure_key(settings)
    except OSError as error:
        raise BadSettings(f"the key cannot be kept in {settings.data_dir}: {error.strerror}") from error


def with_store(settings: Settings, work: Callable[[Store], Awaitable[T]], *, patience: float = 0.0) -> T:
    """What *work* makes of the store; *patience*: as in `open_store`. Raises `BadSettings`."""

    async def run() -> T:
        async with open_store(settings.store_url, patience=patience) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except StoreError as error:
        raise BadSettings(str(error)) from error


def told(error: GatewayError) -> str:
    """*error* for the person: with the mend, where one is known."""
    if isinstance(error, NoGateway):
        mend = "`freeaichat doctor` looks closer" if error.is_silent else "start it with `freeaichat up`"
    else:
        mend = MENDS.get(error.code) or MENDS.get(error.status) or ""
    return f"{error}; {mend}" if mend else str(error)
