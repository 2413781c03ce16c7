"""`freeaichat up`: what has to be right before the services start, then the supervisor in place of this process."""

import asyncio
import os
import sys
import time

import click

from shared.cli.doctor.machine import bind_problem, is_taken
from shared.cli.failures import BadSettings, Failure, PortTaken, read_settings
from shared.cli.keys import ensure_key
from shared.cli.services import module_command
from shared.settings import Settings
from shared.store import StoreError, open_store

PORT_PATIENCE_SECONDS = 8.0  # services of a killed supervisor take a few seconds to notice and to end
PORT_PAUSE = 0.1


def up() -> None:
    """Prepare, and become the supervisor; does not return. Raises `Failure`."""
    begun = time.time()
    settings = read_settings()
    key_is_new = prepare(settings)
    words = ["--begun", f"{begun:.3f}", *(["--key-is-new"] if key_is_new else [])]
    command = module_command("shared.cli.supervise", *words)
    sys.stdout.flush()
    os.execve(command[0], command, child_environment(settings))  # noqa: S606  (our own interpreter)


def prepare(settings: Settings) -> bool:
    """Check the store, the port and the browser, and make the key where one is needed; whether it was made now."""
    check_store(settings)
    await_port(settings)
    try:
        key_is_new = ensure_key(settings)[1]
    except OSError as error:
        raise BadSettings(f"the key cannot be kept in {settings.data_dir}: {error.strerror}") from error
    provide_browser(settings)
    return key_is_new


def check_store(settings: Settings) -> None:
    """Open the store once, so that its faults are told once. Raises `BadSettings`."""

    async def attempt() -> None:
        async with open_store(settings.store_url):
            pass

    try:
        asyncio.run(attempt())
    except StoreError as error:
        raise BadSettings(str(error)) from error


def await_port(settings: Settings) -> None:
    """Wait a little for the port where it is taken. Raises `PortTaken`, or `BadSettings` for a bad address."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while (problem := bind_problem(settings.host, settings.port)) is not None:
        if not is_taken(problem):
            raise BadSettings(f"cannot listen on {settings.host} port {settings.port}: {problem.strerror}")
        if time.monotonic() > deadline:
            raise PortTaken(
                f"{settings.host} port {settings.port} is taken; stop what listens there "
                "(`freeaichat status` tells whether it is this program) or set FREEAICHAT_PORT to a free port"
            )
        time.sleep(PORT_PAUSE)
